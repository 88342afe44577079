"""The `Idempotency-Key` header: a request repeated with its key is answered, not done, again."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import orjson
from flask import g, request
from sqlalchemy.orm import Session

from models import idempotency
from models.idempotency import Earlier, Kept
from web import headers
from web.api import header
from web.errors import Problem

REPLAYED = {"Idempotency-Replayed": "true"}
REPLAYED_HEADER = {
    "Idempotency-Replayed": {
        "description": "`true` if the request was answered again, not done again.",
        "schema": {"const": "true"},
    }
}

_KEY = re.compile(r'("?)([\x21\x23-\x7e]{1,255})\1')
KEY_HEADER = header(
    "Idempotency-Key",
    "Makes the request safe to repeat: one key, one effect. Bare or in quotes; a key that "
    "nobody can guess, such as a UUID.",
    "7f0b1f9e-6a53-4f0e-9d3c-0d9a4c1b7e55",
    pattern=f"^{_KEY.pattern}$",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """One request's claim to be done once; without a key it claims nothing."""

    caller: str
    endpoint: str
    key: str | None
    fingerprint: str

    def earlier(self, session: Session) -> Earlier | None:
        """What this key has done before; must be the transaction's first statement."""
        if self.key is None:
            return None
        try:
            return idempotency.claim(
                session,
                caller=self.caller,
                endpoint=self.endpoint,
                key=self.key,
                fingerprint=self.fingerprint,
            )
        except idempotency.KeyInUseError:
            raise Problem(409, "request_in_progress", headers={"Retry-After": "1"}) from None
        except idempotency.KeyReusedError:
            raise Problem(422, "idempotency_key_reused") from None

    def kept(self, status: int) -> Kept:
        """What is to be kept of this request once it is done, answered with this status."""
        return Kept(self.caller, self.endpoint, self.key, self.fingerprint, status)

    def remember(self, session: Session, *, status: int, **created: int) -> None:
        """Keep the ids that this request created, in the transaction that created them."""
        if self.key is not None:
            idempotency.remember(session, self.kept(status), **created)


def once(caller: str) -> Once:
    """This request's claim, by its key, its path and what its body says."""
    return Once(
        caller=caller,
        endpoint=request.endpoint or "",
        key=_key(),
        fingerprint=fingerprint(f"{request.method} {request.path}", g.get("document")),
    )


def _key() -> str | None:
    given = headers.sent("Idempotency-Key")
    if given is None:
        return None
    match = _KEY.fullmatch(given.strip())
    if match is None:
        raise Problem(400, "idempotency_key_invalid")
    return match[2]


def fingerprint(place: str, body: Any) -> str:
    """What a request says, and where: the same for each repetition."""
    said = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{place}\n".encode() + said).hexdigest()
