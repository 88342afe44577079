"""Disputes: a customer's bank asks for the money back, and someone wins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from models import journal, payment
from models.base import Base, BigId, Json
from models.intents import DisputeSnapshot
from models.orders import Order
from models.session import now, signal_after_commit

_ENDS = frozenset({"won", "lost", "closed"})
STATES: journal.StateTable = {
    "open": _ENDS,
    # An inquiry that was closed can come back as a chargeback, a lost one be appealed.
    "won": frozenset({"open", "lost"}),
    "lost": frozenset({"open", "won"}),
    "closed": frozenset({"open", "won", "lost"}),
}

_TOLD = ("status", "is_refundable", "due_by", "amount_minor")
"""What a dispute's provider may tell anew; its status says more than its state."""


class Dispute(Base):
    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'won', 'lost', 'closed')", name="state"),
        UniqueConstraint("provider", "provider_dispute_id"),
        Index(None, "payment_id"),
        Index(None, "order_id"),
        Index("ix_dispute_open", "due_by", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[BigId]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    provider: Mapped[str]
    provider_dispute_id: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")
    status: Mapped[str]
    """The provider's own word."""
    reason: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    is_refundable: Mapped[bool]
    """Whether a refund would not pay the customer twice."""
    due_by: Mapped[datetime | None]
    """Until when the shop can answer."""
    raw_response: Mapped[Json | None]
    opened_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=now())
    ended_at: Mapped[datetime | None]


def blocks_refund(session: Session, payment_id: int) -> bool:
    """Whether giving money back now could pay the customer a second time."""
    taken = and_(Dispute.state == "open", Dispute.is_refundable.is_(False))
    condition = (Dispute.payment_id == payment_id, or_(taken, Dispute.state == "lost"))
    return bool(session.scalar(select(exists().where(*condition))))


def of_order(session: Session, order_id: int) -> Sequence[Dispute]:
    """All disputes about an order's payments, oldest first."""
    return session.scalars(
        select(Dispute).where(Dispute.order_id == order_id).order_by(Dispute.id)
    ).all()


def find(
    session: Session, *, limit: int, after: int | None = None, state: str | None = None
) -> Sequence[Dispute]:
    """The disputes that fit: open ones first, the most urgent of them before the others.

    `after` is the id of the last one seen before.
    """
    place = _place(Dispute)
    query = select(Dispute).order_by(*place).limit(limit)
    if state is not None:
        query = query.where(Dispute.state == state)
    if after is not None:
        last = aliased(Dispute)
        seen = select(*_place(last)).where(last.id == after).scalar_subquery()
        query = query.where(tuple_(*place) > seen)
    return session.scalars(query).all()


def _place(row: type[Dispute]) -> tuple[ColumnElement[Any], ...]:
    """What says which comes first; of those that have ended, the newest."""
    is_ended = row.state != "open"
    due_by = case((is_ended, None), else_=row.due_by)
    return is_ended, func.coalesce(due_by, text("'infinity'")), -row.id


def is_news(session: Session, provider: str, snapshot: DisputeSnapshot) -> bool:
    """Whether an event's snapshot differs from what is known, so that one must look."""
    known = _find(session, provider, snapshot.provider_dispute_id)
    return known is None or any(getattr(known, name) != getattr(snapshot, name) for name in _TOLD)


def book(session: Session, payment_id: int, snapshot: DisputeSnapshot) -> Dispute:
    """Keep what a fresh look at the provider shows of a dispute about this payment.

    The order bears `disputed` while one is open and after one is lost. Stock does not change.
    """
    order, paid = payment.lock_with_order(session, payment_id)
    row = _find(session, paid.provider, snapshot.provider_dispute_id)
    if row is None:
        row = _open(session, paid, snapshot)
    if row.state != snapshot.state:
        _move(session, row, snapshot)
    for name in _TOLD:
        setattr(row, name, getattr(snapshot, name))
    row.raw_response = dict(snapshot.raw)
    session.flush()
    order.disputed = _is_disputed(session, order)
    signal_after_commit(session, f"order:{order.id}")
    return row


def _open(session: Session, paid: payment.Payment, snapshot: DisputeSnapshot) -> Dispute:
    row = Dispute(
        payment_id=paid.id,
        order_id=paid.order_id,
        provider=paid.provider,
        provider_dispute_id=snapshot.provider_dispute_id,
        state="open",
        status=snapshot.status,
        reason=snapshot.reason,
        amount_minor=snapshot.amount_minor,
        currency=snapshot.currency,
        is_refundable=snapshot.is_refundable,
        due_by=snapshot.due_by,
        opened_at=snapshot.created_at,
    )
    session.add(row)
    session.flush()
    why = f"{snapshot.reason}, {snapshot.status}"
    journal.write(session, row, "dispute.opened", None, "open", who=paid.provider, why=why)
    return row


def _move(session: Session, row: Dispute, snapshot: DisputeSnapshot) -> None:
    journal.move(
        session,
        row,
        STATES,
        snapshot.state,
        who=row.provider,
        why=snapshot.status,
        ended_at=None if snapshot.state == "open" else now(),
    )


def _find(session: Session, provider: str, provider_dispute_id: str) -> Dispute | None:
    return session.scalar(
        select(Dispute).where(
            Dispute.provider == provider, Dispute.provider_dispute_id == provider_dispute_id
        )
    )


def _is_disputed(session: Session, order: Order) -> bool:
    condition = (Dispute.order_id == order.id, Dispute.state.in_(("open", "lost")))
    return bool(session.scalar(select(exists().where(*condition))))
