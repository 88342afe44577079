"""Fulfilment: what was paid for is shipped, and arrives."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import journal, notification, orders
from models.base import Base
from models.orders import Order
from models.session import now, signal_after_commit

STATES: journal.StateTable = {
    "none": frozenset({"shipped"}),
    "shipped": frozenset({"delivered"}),
    "delivered": frozenset(),
}
TRACKING = ("carrier", "tracking_number", "tracking_url")
"""What a customer is told of how the goods were sent."""


class NotShippableError(Exception):
    """The goods must not leave, or have left; `why` is the code of the problem."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Shipment(Base):
    """How an order's goods were sent."""

    __tablename__ = "shipment"

    order_id: Mapped[int] = mapped_column(
        ForeignKey("orders.id"), primary_key=True, autoincrement=False
    )
    carrier: Mapped[str | None]
    tracking_number: Mapped[str | None]
    tracking_url: Mapped[str | None]
    shipped_by: Mapped[str]
    shipped_at: Mapped[datetime] = mapped_column(default=now())
    delivered_at: Mapped[datetime | None]


def ship(
    session: Session,
    order_id: int,
    *,
    carrier: str | None = None,
    tracking_number: str | None = None,
    tracking_url: str | None = None,
    who: str,
) -> Order:
    """Note that the goods have left and have the customer told, once.

    Said again of a shipped order it corrects the carrier and the tracking number, without
    another mail. Raises `NotShippableError`, or NoResultFound.
    """
    order = orders.lock(session, order_id)
    if (why := _obstacle(order)) is not None:
        raise NotShippableError(why)
    facts = {
        "carrier": carrier,
        "tracking_number": tracking_number,
        "tracking_url": tracking_url,
    }
    said = ", ".join(value for value in facts.values() if value) or "no tracking"
    shipment = session.get(Shipment, order_id)
    if shipment is None:
        session.add(Shipment(order_id=order_id, shipped_by=who, **facts))
        _move(session, order, "shipped", who=who, why=said)
        notification.stage(session, order_id, "order_shipped", order.email)
    elif any(getattr(shipment, name) != value for name, value in facts.items()):
        for name, value in facts.items():
            setattr(shipment, name, value)
        journal.write(session, order, "shipment.corrected", None, None, who=who, why=said)
    return order


def deliver(session: Session, order_id: int, *, who: str) -> Order:
    """Note that the goods have arrived; said twice it changes nothing more.

    Raises `NotShippableError` if they were never sent, or NoResultFound.
    """
    order = orders.lock(session, order_id)
    if order.fulfilment == "none":
        raise NotShippableError("not_shipped")
    if _move(session, order, "delivered", who=who, why="the goods have arrived"):
        session.get_one(Shipment, order_id).delivered_at = now()
    return order


def shipment_of(session: Session, order_id: int) -> Shipment | None:
    """How the order's goods were sent, if they were."""
    return session.get(Shipment, order_id)


def _obstacle(order: Order) -> str | None:
    if order.state != "paid":
        return "not_paid"
    if order.fulfilment == "delivered":
        return "already_delivered"
    if order.fulfilment == "shipped":  # they are gone: only words are corrected
        return None
    if order.status == "refunded":
        return "already_refunded"
    for flag in ("disputed", "stock_shortage", "needs_review"):
        if getattr(order, flag):
            return f"order_{flag}"
    return None


def _move(session: Session, order: Order, to: str, *, who: str, why: str) -> bool:
    signal_after_commit(session, f"order:{order.id}")
    return journal.move(session, order, STATES, to, who=who, why=why, column="fulfilment")
