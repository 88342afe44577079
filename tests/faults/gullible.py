"""A web that lacks one guard of events: `python -m tests.faults.gullible types FILE SIGNATURE`.

It takes one delivery and ends with the hundreds of the status that it answers. With it the
tests show that they would notice: without the guard, lies are believed, or truth is lost.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from models.session import transaction
from providers import stripe_events, stripe_signature
from web import create_app, webhooks


def _believe_every_signature() -> None:
    stripe_signature.is_signed = lambda *_given: True


def _know_no_strangers() -> None:
    """Take events of every account and mode for ours."""
    stripe_events.EventReader._foreign = lambda *_given: None  # type: ignore[method-assign]


def _answer_before_the_commit() -> None:
    """Die after the answer and before what it promises."""

    @contextmanager
    def lost() -> Iterator[Session]:
        with transaction() as session:
            yield session
            session.rollback()

    webhooks.transaction = lost  # type: ignore[attr-defined]


def _know_every_type() -> None:
    """Be at a loss with types that the table does not have."""

    class Complete(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return self[key]

    stripe_events._TELLS = Complete(stripe_events._TELLS)


def _swallow_everything() -> None:
    """Take bodies of any size."""
    webhooks._LARGEST_EVENT_BYTES = 10**9


_CARELESS = {
    "signatures": _believe_every_signature,
    "strangers": _know_no_strangers,
    "commits": _answer_before_the_commit,
    "types": _know_every_type,
    "sizes": _swallow_everything,
}

if __name__ == "__main__":
    _CARELESS[sys.argv[1]]()
    answer = (
        create_app()
        .test_client()
        .post(
            "/orders/webhook/",
            data=Path(sys.argv[2]).read_bytes(),
            headers={"Stripe-Signature": sys.argv[3]},
        )
    )
    sys.stdout.write(answer.text)
    sys.exit(answer.status_code // 100)
