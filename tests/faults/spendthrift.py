"""A process that lacks one guard of money: `python -m tests.faults.spendthrift keys worker …`.

`… sums 5 1200` is one that has 12.00 of payment 5 given back.
With it the tests show that they would notice: without the guard, money is lost or doubled.
"""

import secrets
import sys
from dataclasses import replace
from typing import Any

from models import looking, refund, settling
from models.session import transaction
from providers.stripe import Stripe
from tasks import app
from web import create_app


def _use_random_keys() -> None:
    """Ask anew whenever an answer was lost, and look for nothing."""
    _never_look_up()
    create, give_back = Stripe.create, Stripe.refund

    def with_random_key(request: Any) -> Any:
        return replace(request, key=secrets.token_hex(8), is_unknown=False)

    Stripe.create = lambda self, request: create(self, with_random_key(request))  # type: ignore[method-assign]
    Stripe.refund = lambda self, request: give_back(self, with_random_key(request))  # type: ignore[method-assign]


def _never_look_up() -> None:
    """Trust a key for ever."""
    Stripe.find = lambda self, request: None  # type: ignore[method-assign]
    Stripe.refunds_of = lambda self, provider_payment_id: []  # type: ignore[method-assign]


def _believe_everything() -> None:
    """Book whatever amount the provider names."""
    settling._contradiction = lambda row, snapshot: None


def _look_at_nothing() -> None:
    """Rely on being told."""
    looking.stage = lambda *_given: None


def _promise_any_sum() -> None:
    """Refund without regard to what is left."""
    statement = refund._REQUEST.text
    refund._REQUEST.text = statement.replace("WHERE left_minor >= coalesce(:amount_minor, 1)", "")


_CARELESS = {
    "keys": _use_random_keys,
    "memory": _never_look_up,
    "amounts": _believe_everything,
    "looks": _look_at_nothing,
    "sums": _promise_any_sum,
}


def _refund(payment_id: int, amount_minor: int) -> None:
    with create_app().app_context(), transaction() as session:
        refund.request(
            session, payment_id, amount_minor=amount_minor, who="spendthrift", why="why not"
        )


if __name__ == "__main__":
    _CARELESS[sys.argv.pop(1)]()
    if sys.argv[1] == "worker":
        app.worker_main(sys.argv[1:])
    else:
        _refund(*map(int, sys.argv[1:]))
