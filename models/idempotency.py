"""One key, one effect: what a client's `Idempotency-Key` stands for, kept with the work it did."""

import hashlib
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, BigId
from models.session import now
from models.statement import Statement


class KeyInUseError(Exception):
    """Another request with this key is running at this moment."""


class KeyReusedError(Exception):
    """The key came before with another body."""


class IdempotencyKey(Base):
    """The ids a request created, not its body: a replay renders those rows anew."""

    __tablename__ = "idempotency_key"
    __table_args__ = (
        UniqueConstraint("caller", "endpoint", "key"),
        Index(None, "created_at"),
    )

    id: Mapped[BigId]
    caller: Mapped[str]
    endpoint: Mapped[str]
    key: Mapped[str]
    fingerprint: Mapped[str]
    status: Mapped[int]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    created_at: Mapped[datetime] = mapped_column(default=now())


_NOTHING = {"order_id": None, "payment_id": None, "refund_id": None}


class Earlier(NamedTuple):
    """What a key has done: the status it was answered with, and what it created."""

    status: int
    order_id: int | None
    payment_id: int | None
    refund_id: int | None


# Two statements: the second must see what the last holder of the lock has committed.
_LOCK = Statement("SELECT pg_try_advisory_xact_lock(%(number)s)")
_EARLIER = Statement("""
SELECT fingerprint, status, order_id, payment_id, refund_id FROM idempotency_key
WHERE caller = %(caller)s AND endpoint = %(endpoint)s AND key = %(key)s
""")


class Kept(NamedTuple):
    """What is kept of a key that has done its work, save what it created; no key keeps nothing."""

    caller: str = ""
    endpoint: str = ""
    key: str | None = None
    fingerprint: str = ""
    status: int = 0

    @property
    def lock(self) -> int:
        """The number of the lock by which the key is claimed."""
        return _number(self.caller, self.endpoint, self.key or "")


NO_KEY = Kept()


# Only the clock and terms of ours are interpolated, never a value (S608).
def keeping(order_id: str, payment_id: str = "NULL", refund_id: str = "NULL") -> str:
    """The INSERT that remembers a `Kept`, its parameters, with what it created.

    What was created is said in terms of SQL.
    """
    return f"""
INSERT INTO idempotency_key (
    caller, endpoint, key, fingerprint, status, order_id, payment_id, refund_id, created_at)
SELECT %(caller)s, %(endpoint)s, %(key)s, %(fingerprint)s, %(status)s, {order_id}, {payment_id},
    {refund_id}, {now()}
WHERE %(key)s::text IS NOT NULL"""


_REMEMBER = Statement(
    keeping("%(order_id)s::bigint", "%(payment_id)s::bigint", "%(refund_id)s::bigint")
    + "\nRETURNING id"
)


def claim(
    session: Session, *, caller: str, endpoint: str, key: str, fingerprint: str
) -> Earlier | None:
    """Take the key for this transaction; what it did before, if its work is already done.

    Must be the transaction's first statement. A crash frees the key by itself. Raises
    `KeyInUseError` and `KeyReusedError`.
    """
    (is_ours,) = _LOCK.row(session, {"number": _number(caller, endpoint, key)}) or ()
    if not is_ours:
        raise KeyInUseError(key)
    earlier = _EARLIER.row(session, {"caller": caller, "endpoint": endpoint, "key": key})
    if earlier is None:
        return None
    if earlier[0] != fingerprint:
        raise KeyReusedError(key)
    return Earlier(*earlier[1:])


def remember(session: Session, kept: Kept, **created: int) -> None:
    """Keep what the claimed key has done, in the transaction that did it.

    `created` are ids by their columns, of rows that the database has already.
    """
    _REMEMBER.row(session, {**_NOTHING, **created, **kept._asdict()})


def _number(*parts: str) -> int:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
