"""What every verb is given: the state, the time, and in whose name it acts."""

import secrets
from dataclasses import dataclass

from sandbox.provider.account import DEFAULTS
from sandbox.provider.store import Store
from sandbox.stripe.errors import Document

API_VERSION = "2026-10-28.endive"
CONFIGURATION: Document = DEFAULTS | {
    "webhook_secret": "whsec_sandbox",
    "refund_seconds": 1.0,
    "search_lag_seconds": 0,
    "thin_events": False,
}


def random_id(prefix: str) -> str:
    """Return an unguessable id in Stripe's form."""
    return prefix + secrets.token_hex(12)


@dataclass(frozen=True)
class Call:
    """One piece of work inside one transaction; a request's, unless it has no request id."""

    store: Store
    base_url: str
    now: int
    request_id: str | None = None
    idempotency_key: str | None = None


def begin(
    store: Store,
    base_url: str,
    request_id: str | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """Return a call at the sandbox's present time, which the control surface can move."""
    return Call(store, base_url, store.present, request_id, idempotency_key)
