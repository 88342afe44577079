"""All that one server shares between its requests, and how its provider words its events."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.provider.faults import Faults
from sandbox.provider.keys import KeysInUse
from sandbox.provider.limits import Limits
from sandbox.provider.refusal import Document
from sandbox.provider.store import Store

REMEMBERED_REQUESTS = 1000
DEFAULTS: Document = {
    "webhook_url": None,
    "deliveries": {"mode": "normal", "copies": 2, "seconds": 1.0},
    "clock_offset": 0,
    "requests_per_second": None,
}
"""The settings that every provider has."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a provider keeps, signs and names its events."""

    find: Callable[[Store, str], Document | None]
    sign: Callable[[Store, bytes], Mapping[str, str]]
    """The headers that prove to the endpoint who has sent a payload, now."""
    kind: str
    """Where in an event its type stands, as a path of SQLite."""
    subject: str
    """Where in an event the id stands of what it is about."""
    delivered: Callable[[Store, str], None] = lambda _store, _event_id: None
    """Is told that the endpoint has taken an event."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One merchant's account: its state, its faults to come and its last requests."""

    store: Store
    base_url: str
    wording: Wording
    keys_in_use: KeysInUse
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    requests: deque[Document] = field(default_factory=lambda: deque(maxlen=REMEMBERED_REQUESTS))
