"""One key, one effect: what a client's `Idempotency-Key` stands for, kept with the work it did."""

import hashlib
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, BigId
from models.session import now


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


def claim(
    session: Session, *, caller: str, endpoint: str, key: str, fingerprint: str
) -> IdempotencyKey | None:
    """Take the key for this transaction; the earlier row if its work is already done.

    Must be the transaction's first statement. A crash frees the key by itself. Raises
    `KeyInUseError` and `KeyReusedError`.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_number(caller, endpoint, key)))):
        raise KeyInUseError(key)
    earlier = session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.caller == caller,
            IdempotencyKey.endpoint == endpoint,
            IdempotencyKey.key == key,
        )
    )
    if earlier is not None and earlier.fingerprint != fingerprint:
        raise KeyReusedError(key)
    return earlier


def _number(*parts: str) -> int:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
