"""All that one server shares between its requests."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.stripe.call import Call, begin
from sandbox.stripe.errors import Document
from sandbox.stripe.faults import Faults
from sandbox.stripe.idempotency import KeysInUse
from sandbox.stripe.limits import Limits
from sandbox.stripe.store import Store

REMEMBERED_REQUESTS = 1000


@dataclass(frozen=True)
class Sandbox:
    """One merchant's account: its state, its keys, its faults to come and its last requests."""

    store: Store
    base_url: str
    secret_key: str
    publishable_key: str
    faults: Faults = field(default_factory=Faults)
    keys_in_use: KeysInUse = field(default_factory=KeysInUse)
    limits: Limits = field(default_factory=Limits)
    requests: deque[Document] = field(default_factory=lambda: deque(maxlen=REMEMBERED_REQUESTS))

    @contextmanager
    def call(
        self, request_id: str | None = None, idempotency_key: str | None = None
    ) -> Iterator[Call]:
        """Run one piece of work in a transaction of its own."""
        with self.store.transaction():
            yield begin(self.store, self.base_url, request_id, idempotency_key)
