"""All that the server shares between its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.provider.account import Account
from sandbox.provider.keys import KeysInUse
from sandbox.provider.store import Store
from sandbox.stripe.call import Call, begin
from sandbox.stripe.events import WORDING
from sandbox.stripe.idempotency import in_use


@dataclass(frozen=True, kw_only=True)
class Sandbox(Account):
    """A merchant's account at Stripe."""

    secret_key: str
    publishable_key: str

    @contextmanager
    def call(
        self, request_id: str | None = None, idempotency_key: str | None = None
    ) -> Iterator[Call]:
        """Run one piece of work in a transaction of its own."""
        with self.store.transaction():
            yield begin(self.store, self.base_url, request_id, idempotency_key)


def create_sandbox(store: Store, base_url: str, secret_key: str, publishable_key: str) -> Sandbox:
    """Return the account whose state is in this store."""
    return Sandbox(
        store=store,
        base_url=base_url,
        wording=WORDING,
        keys_in_use=KeysInUse(in_use),
        secret_key=secret_key,
        publishable_key=publishable_key,
    )
