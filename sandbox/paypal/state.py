"""All that the server shares between its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.paypal.call import Call
from sandbox.paypal.errors import in_progress
from sandbox.paypal.events import shown
from sandbox.paypal.signature import Signer
from sandbox.provider.account import Account, Wording
from sandbox.provider.keys import KeysInUse
from sandbox.provider.refusal import Document
from sandbox.provider.store import Store


@dataclass(frozen=True, kw_only=True)
class Sandbox(Account):
    """A merchant's account at PayPal, with one application and one webhook."""

    client_id: str
    client_secret: str
    signer: Signer

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Run one piece of work in a transaction of its own."""
        with self.store.transaction():
            yield Call(self.store, self.base_url, self.store.present)


def create_sandbox(
    store: Store, base_url: str, *, client_id: str, client_secret: str, webhook_id: str
) -> Sandbox:
    """Return the account whose state is in this store."""
    signer = Signer(webhook_id)
    wording = Wording(
        find=_find,
        sign=lambda _, payload: signer.sign(base_url, payload),
        kind="$.event_type",
        subject="$.resource.id",
    )
    return Sandbox(
        store=store,
        base_url=base_url,
        wording=wording,
        keys_in_use=KeysInUse(in_progress),
        client_id=client_id,
        client_secret=client_secret,
        signer=signer,
    )


def _find(store: Store, event_id: str) -> Document | None:
    event = store.find("event", event_id)
    return shown(event) if event else None
