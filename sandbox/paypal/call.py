"""What every verb is given: the state, the time, and where the server is."""

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.provider.account import DEFAULTS
from sandbox.provider.refusal import Document
from sandbox.provider.store import Store

ALPHABET = string.digits + string.ascii_uppercase
ID_LENGTH = 17
CONFIGURATION: Document = DEFAULTS | {
    "order_seconds": 3 * 3600,
    "token_seconds": 9 * 3600,
}


def random_id(prefix: str = "", length: int = ID_LENGTH) -> str:
    """Return an unguessable id in PayPal's form."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


def written(moment: int) -> str:
    """A time as PayPal writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Call:
    """One piece of work inside one transaction."""

    store: Store
    base_url: str
    now: int

    def link(self, rel: str, path: str, method: str = "GET") -> Document:
        """A link of an object to another or to what can be done with it."""
        return {"href": f"{self.base_url}{path}", "rel": rel, "method": method}

    def touch(self, document: Document, **changes: object) -> Document:
        """Change a document and note when."""
        document |= {"updated": self.now, **changes}
        return self.store.save(document)
