"""Orders as people look for them, and what staff settle by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, selectinload

from models import journal, orders
from models.orders import Order, OrderItem
from models.session import now, signal_after_commit


def _is_sent(fulfilment: str) -> ColumnElement[bool]:
    """Only what is paid leaves the shop, and the index begins with that."""
    return (Order.state == "paid") & (Order.fulfilment == fulfilment)


STATUSES: dict[str, ColumnElement[bool]] = {
    "refunded": (Order.refunded_minor > 0) & (Order.refunded_minor >= Order.total_minor),
    "partially_refunded": (Order.refunded_minor > 0) & (Order.refunded_minor < Order.total_minor),
    **{
        fulfilment: (Order.refunded_minor == 0) & _is_sent(fulfilment)
        for fulfilment in ("shipped", "delivered")
    },
    **{
        state: (Order.refunded_minor == 0) & (Order.fulfilment == "none") & (Order.state == state)
        for state in orders.STATES
    },
}
"""What `Order.status` says, as SQL."""


class NotExtendableError(Exception):
    """The order holds nothing any more, or is about to let it go; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which orders to look for; None asks nothing."""

    order_ids: tuple[int, ...] | None = None
    user_id: int | None = None
    status: str | None = None
    email: str | None = None
    order_number: str | None = None
    sku: str | None = None
    fulfilment: str | None = None
    needs_review: bool | None = None
    stock_shortage: bool | None = None
    disputed: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What it asks of the order itself, each an SQL condition."""
        return [
            self._condition(each.name, value)
            for each in fields(self)
            if each.name != "sku" and (value := getattr(self, each.name)) is not None
        ]

    def _condition(self, name: str, value: object) -> ColumnElement[bool]:  # noqa: PLR0911 - a table
        match name:
            case "order_ids":
                return Order.id.in_(self.order_ids or ())
            case "status":
                return STATUSES[str(value)]
            case "email":
                return func.lower(Order.email) == str(value).lower()
            case "fulfilment" if value != "none":
                return _is_sent(str(value))
            case "created_after":
                return Order.created_at >= value
            case "created_before":
                return Order.created_at < value
            case _:
                column: ColumnElement[bool] = getattr(Order, name) == value
                return column


def find(
    session: Session, wanted: Filter, *, limit: int, after: int | None = None
) -> Sequence[Order]:
    """The orders that fit with their lines and addresses, newest first; `after` is the last id."""
    query = select(Order).where(*wanted.conditions()).order_by(Order.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Order.id < after)
    if wanted.sku is not None:
        lines = _lines_of(wanted.sku, after).subquery()
        query = query.join(lines, lines.c.order_id == Order.id)
    return session.scalars(
        query.options(selectinload(Order.lines), selectinload(Order.addresses))
    ).all()


def _lines_of(sku: str, after: int | None) -> Select[int]:
    """Which orders have it, once each: read newest first from an index, and no further than asked.

    A best-seller is in very many orders, which a condition on orders would all have looked at.
    """
    lines = select(OrderItem.order_id).where(OrderItem.product_sku == sku).distinct()
    lines = lines.order_by(OrderItem.order_id.desc())
    return lines if after is None else lines.where(OrderItem.order_id < after)


def holding(session: Session, *, limit: int, is_overdue: bool = False) -> Sequence[Order]:
    """Unpaid orders, which hold goods, with their lines; those that end first come first."""
    query = select(Order).where(Order.state == "pending").options(selectinload(Order.lines))
    if is_overdue:
        query = query.where(Order.expires_at <= now())
    return session.scalars(query.order_by(Order.expires_at, Order.id).limit(limit)).all()


def extend(session: Session, order_id: int, by: timedelta, *, who: str, why: str) -> Order:
    """Hold the goods of an unpaid order for so much longer than now, or than it would have.

    Raises `NotExtendableError` if it has ended or is being closed, or NoResultFound.
    """
    order = orders.lock(session, order_id)
    if order.state != "pending" or order.closing is not None:
        raise NotExtendableError("being closed" if order.closing else order.state)
    later = func.greatest(Order.expires_at, now()) + by
    order.expires_at = session.scalars(select(later).where(Order.id == order_id)).one()
    journal.write(session, order, "order.extended", None, None, who=who, why=why)
    signal_after_commit(session, f"order:{order.id}")
    return order


def clear_review(session: Session, order_id: int, *, who: str, why: str) -> Order:
    """Say that a person has looked and the order may go on; raises NoResultFound."""
    order = orders.lock(session, order_id)
    if order.needs_review:
        order.needs_review = False
        journal.write(session, order, "order.reviewed", None, None, who=who, why=why)
        signal_after_commit(session, f"order:{order.id}")
    return order


def note(session: Session, order_id: int, *, who: str, why: str) -> Order:
    """Write what somebody knows of the order into its journal; raises NoResultFound."""
    order = orders.lock(session, order_id)
    journal.write(session, order, "order.note", None, None, who=who, why=why)
    signal_after_commit(session, f"order:{order.id}")
    return order
