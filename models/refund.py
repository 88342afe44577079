"""Refunds: each row one act of giving money back, whose share of the payment nobody else gets.

What is requested, under way or given back counts against what was received; a statement that
would pass it inserts nothing. A failed refund frees its share.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

import settings
from models import dispute, job, journal, payment
from models.base import Base, BigId, Json
from models.orders import Order
from models.payment import Payment
from models.session import now
from models.statement import Statement

_ANSWERS = frozenset({"pending", "succeeded", "failed", "cancelled"})
STATES: journal.StateTable = {
    "requested": frozenset({"sent", "cancelled"}),
    "sent": frozenset({"unknown"}) | _ANSWERS,
    "unknown": _ANSWERS,
    "pending": frozenset({"succeeded", "failed", "cancelled"}),
    "succeeded": frozenset({"failed"}),  # weeks later
    "failed": frozenset({"succeeded"}),  # the provider wins
    "cancelled": frozenset({"succeeded"}),
}
COUNTED = frozenset({"requested", "sent", "unknown", "pending", "succeeded"})
"""States that hold a share of what was received."""
LIVE = COUNTED - {"succeeded"}
UNANSWERED = frozenset({"requested", "sent", "unknown"})
REASONS = ("requested_by_customer", "duplicate", "fraudulent")
ORIGINS = ("staff", "surplus", "late", "provider")
"""Who wanted it: staff; we, for a second payment or one too late; or someone at the provider."""


class NotRefundableError(Exception):
    """The payment holds no money to give back."""


class DisputedError(Exception):
    """The customer's bank has the money, or may get it: a refund could pay twice."""


class TooMuchError(Exception):
    """More than is left; `left_minor` says how much that is."""

    def __init__(self, left_minor: int) -> None:
        super().__init__(f"only {left_minor} are left")
        self.left_minor = left_minor


def _in(states: frozenset[str]) -> str:
    return "state IN (" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


class Refund(Base):
    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint(_in(frozenset(STATES)), name="state"),
        CheckConstraint("origin IN ('staff', 'surplus', 'late', 'provider')", name="origin"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("origin = 'provider' OR provider_key IS NOT NULL", name="key"),
        UniqueConstraint("provider", "provider_refund_id"),
        Index(
            "uq_refund_everything",
            "payment_id",
            unique=True,
            postgresql_where=text(f"is_everything AND {_in(COUNTED)}"),
        ),
        Index(None, "payment_id"),
        Index(None, "order_id"),
        Index(None, "state", "id"),
        Index(None, "origin", "id"),
        Index("ix_refund_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: Mapped[BigId]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    provider: Mapped[str]
    state: Mapped[str] = mapped_column(default="requested")
    origin: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    is_everything: Mapped[bool] = mapped_column(default=False)
    """Whether all that was left was asked for: the same again is the same refund."""
    reason: Mapped[str | None]
    restock: Mapped[Json | None]
    """Units to put back by item id, once the provider has taken it."""
    provider_key: Mapped[str | None] = mapped_column(unique=True)
    """Its idempotency key at the provider; None if it was made there."""
    provider_refund_id: Mapped[str | None]
    failure: Mapped[str | None]
    raw_response: Mapped[Json | None]
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now())
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    """When the janitor asks the provider, unless something is heard before."""
    looks: Mapped[int] = mapped_column(default=0)


# Only states are interpolated below, and the clock, never a value (S608).
_SUMS = Statement(f"""
SELECT coalesce(sum(amount_minor) FILTER (WHERE {_in(COUNTED)}), 0),
       coalesce(sum(amount_minor) FILTER (WHERE state = 'succeeded'), 0)
FROM refund WHERE payment_id = %(payment_id)s
""")  # noqa: S608
# One statement judges and inserts, under the payment's lock: shares cannot pass what there is.
_REQUEST = text(f"""
WITH rest AS (
    SELECT payment.*, received_minor - coalesce((
        SELECT CAST(sum(refund.amount_minor) AS bigint) FROM refund
        WHERE refund.payment_id = payment.id AND refund.{_in(COUNTED)}), 0) AS left_minor
    FROM payment WHERE id = :payment_id AND state = 'succeeded'
), requested AS (
    INSERT INTO refund (id, payment_id, order_id, provider, state, origin, amount_minor, currency,
                        is_everything, reason, restock, provider_key, requested_by, created_at,
                        looks)
    SELECT :refund_id, id, order_id, provider, 'requested', :origin,
           coalesce(:amount_minor, left_minor), currency, :is_everything, :reason, :restock,
           :provider_key, :who, {now()}, 0
    FROM rest WHERE left_minor >= coalesce(:amount_minor, 1)
    RETURNING id
)
SELECT left_minor, EXISTS (SELECT FROM requested) AS is_requested FROM rest
""").bindparams(  # noqa: S608 - states and the clock only
    bindparam("amount_minor", type_=BigInteger),
    bindparam("reason", type_=Text),
    bindparam("restock", type_=JSONB(none_as_null=True)),
)


def request(
    session: Session,
    payment_id: int,
    *,
    amount_minor: int | None = None,
    reason: str | None = None,
    restock: Mapping[str, int] | None = None,
    origin: str = "staff",
    who: str,
    why: str,
) -> Refund:
    """Have money given back: this much, or all that is left, once.

    Asked for all that is left, a refund that was asked for in the same way and has not failed
    is returned as it is. Raises `NotRefundableError`, `DisputedError` or `TooMuchError`.
    """
    _, paid = payment.lock_with_order(session, payment_id)
    if amount_minor is None and (earlier := everything_of(session, payment_id)) is not None:
        return earlier
    if dispute.blocks_refund(session, payment_id):
        raise DisputedError
    refund_id = _next_id(session)
    asked = session.execute(
        _REQUEST,
        {
            "refund_id": refund_id,
            "payment_id": payment_id,
            "origin": origin,
            "amount_minor": amount_minor,
            "is_everything": amount_minor is None,
            "reason": reason,
            "restock": dict(restock) if restock else None,
            "provider_key": f"{settings.current().instance}-re-{refund_id}",
            "who": who,
        },
    ).one_or_none()
    if asked is None:
        raise NotRefundableError(paid.state)
    if not asked.is_requested:
        raise TooMuchError(asked.left_minor)
    row = session.get_one(Refund, refund_id)
    journal.write(session, row, "refund.requested", None, "requested", who=who, why=why)
    job.stage(
        session,
        "refunds.create",
        key=f"refund:{refund_id}",
        order_id=row.order_id,
        refund_id=refund_id,
    )
    return row


def _next_id(session: Session) -> int:
    query = select(func.nextval(func.pg_get_serial_sequence("refund", "id")))
    number: int = session.execute(query).scalar_one()
    return number


def everything_of(session: Session, payment_id: int) -> Refund | None:
    """The refund of all that was left of the payment, under way or succeeded."""
    return session.scalar(
        select(Refund).where(
            Refund.payment_id == payment_id, Refund.is_everything, Refund.state.in_(COUNTED)
        )
    )


def of_order(session: Session, order_id: int) -> Sequence[Refund]:
    """All refunds of an order's payments, oldest first."""
    return session.scalars(
        select(Refund).where(Refund.order_id == order_id).order_by(Refund.id)
    ).all()


class Sums(NamedTuple):
    """Of a payment's refunds, in minor units."""

    counted: int
    """What is given back or about to be."""
    succeeded: int
    """What is given back."""


def sums(session: Session, payment_id: int) -> Sums:
    """What the payment's refunds come to."""
    counted, succeeded = _SUMS.row(session, {"payment_id": payment_id}) or ()
    return Sums(int(counted), int(succeeded))


def left_minor(session: Session, paid: Payment) -> int:
    """What of the payment is neither given back nor about to be."""
    return paid.received_minor - sums(session, paid.id).counted


def last_end(session: Session, payment_id: int) -> datetime | None:
    """When the last of the payment's refunds succeeded."""
    return session.scalar(
        select(func.max(Refund.ended_at)).where(
            Refund.payment_id == payment_id, Refund.state == "succeeded"
        )
    )


def lock_with_payment(session: Session, refund_id: int) -> tuple[Order, Payment, Refund]:
    """The refund, its payment and their order, locked in the order that all locks are taken in."""
    payment_id = session.execute(
        select(Refund.payment_id).where(Refund.id == refund_id)
    ).scalar_one()
    order, paid = payment.lock_with_order(session, payment_id)
    row = session.scalars(
        select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return order, paid, row
