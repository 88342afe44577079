"""Idempotency keys as Stripe v1 keeps them: the first answer, whatever it was, for 24 hours."""

import json

from sandbox.provider.store import Store
from sandbox.stripe.errors import Document, StripeError

LIFETIME_SECONDS = 86400
LONGEST_KEY = 255


def in_use(key: str) -> StripeError:
    """A second request with a key whose first one still runs."""
    return StripeError(
        "There is currently another in-progress request using this Idempotent Key "
        f"(that probably means you submitted twice): {key}",
        status=409,
        kind="idempotency_error",
        code="idempotency_key_in_use",
    )


def check_length(key: str) -> None:
    """Raise for a key that is longer than Stripe takes."""
    if len(key) > LONGEST_KEY:
        raise StripeError(f"Idempotency keys can be up to {LONGEST_KEY} characters.")


def saved(store: Store, key: str, request: str, now: int) -> tuple[int, Document] | None:
    """Return the first answer of this key, or raise if it was given to another request."""
    store.rows("DELETE FROM answer WHERE created <= :old", old=now - LIFETIME_SECONDS)
    rows = store.rows("SELECT request, status, body FROM answer WHERE key = :key", key=key)
    if not rows:
        return None
    first, status, body = rows[0]
    if first != request:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters and path they "
            f"were first used with. Try a key other than '{key}' for a different request.",
            kind="idempotency_error",
        )
    return int(str(status)), json.loads(str(body))


def save(store: Store, key: str, request: str, now: int, answer: tuple[int, Document]) -> None:
    """Keep an answer for the repetitions of its request."""
    status, body = answer
    store.rows(
        "INSERT INTO answer (key, created, request, status, body) "
        "VALUES (:key, :created, :request, :status, :body)",
        key=key,
        created=now,
        request=request,
        status=status,
        body=json.dumps(body),
    )
