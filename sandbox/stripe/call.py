"""What every verb is given: the state, the time, and in whose name it acts."""

import secrets
import time
from dataclasses import dataclass

from sandbox.stripe.errors import Document
from sandbox.stripe.store import Store

API_VERSION = "2026-10-28.endive"
CONFIGURATION: Document = {
    "id": "configuration",
    "webhook_url": None,
    "webhook_secret": "whsec_sandbox",
    "deliveries": {"mode": "normal", "copies": 2, "seconds": 1.0},
    "clock_offset": 0,
    "refund_seconds": 1.0,
    "search_lag_seconds": 0,
    "requests_per_second": None,
    "thin_events": False,
}


def random_id(prefix: str) -> str:
    """Return an unguessable id in Stripe's form."""
    return prefix + secrets.token_hex(12)


def configuration(store: Store) -> Document:
    """Return what the command line and the control surface have set, or the defaults."""
    return CONFIGURATION | (store.find("configuration", "configuration") or {})


def configure(store: Store, **changes: object) -> Document:
    """Change some of the configuration and return all of it."""
    if store.find("configuration", "configuration") is None:
        store.add("configuration", CONFIGURATION)
    return store.save(configuration(store) | changes)


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
    now = int(time.time()) + int(configuration(store)["clock_offset"])
    return Call(store, base_url, now, request_id, idempotency_key)
