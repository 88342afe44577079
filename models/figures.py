"""How the shop does: orders, money and the time to pay, hour by hour or day by day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Index, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.orders import Order
from models.session import now

Step = Literal["hour", "day"]

_STEPS: Mapping[Step, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)

Index("ix_orders_created_at", Order.created_at, postgresql_include=["paid_at"])
Index(
    "ix_orders_paid_at",
    Order.paid_at,
    postgresql_include=["currency", "total_minor"],
    postgresql_where=text("paid_at IS NOT NULL"),
)


@dataclass(slots=True, kw_only=True)
class Slot:
    """An hour or a day, UTC."""

    begins: datetime
    placed: int = 0
    paid: int = 0
    """Of the orders placed in it, those that were paid since."""
    half_paid_in: float | None = None
    """Seconds within which half of those had paid."""
    most_paid_in: float | None = None
    """Seconds within which 95 of 100 had."""
    revenue: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Minor units that came in during it, by currency."""


def last(session: Session, step: Step, count: int) -> list[datetime]:
    """When the last so many slots begin, the present one included, oldest first."""
    present = session.execute(select(func.date_trunc(step, now(), "UTC"))).scalar_one()
    return [present - _STEPS[step] * back for back in reversed(range(count))]


def counted(session: Session, step: Step, begins: Sequence[datetime]) -> list[Slot]:
    """These slots, which follow each other, as the orders tell; none is left out."""
    by_time = {moment: Slot(begins=moment) for moment in begins}
    end = begins[-1] + _STEPS[step]
    _add_orders(session, step, by_time, begins[0], end)
    _add_revenue(session, step, by_time, begins[0], end)
    return list(by_time.values())


def _add_orders(
    session: Session, step: Step, by_time: Mapping[datetime, Slot], begin: datetime, end: datetime
) -> None:
    slot = slot_of(step, Order.created_at).label("slot")
    wait = Order.paid_at - Order.created_at
    statement = (
        select(
            slot,
            func.count().label("placed"),
            func.count(Order.paid_at).label("paid"),
            func.percentile_cont([0.5, 0.95]).within_group(wait).label("waits"),
        )
        .where(Order.created_at >= begin, Order.created_at < end)
        .group_by(slot)
    )
    for row in session.execute(statement):
        found = by_time[row.slot]
        found.placed, found.paid = row.placed, row.paid
        if row.waits:
            found.half_paid_in, found.most_paid_in = (each.total_seconds() for each in row.waits)


def _add_revenue(
    session: Session, step: Step, by_time: Mapping[datetime, Slot], begin: datetime, end: datetime
) -> None:
    slot = slot_of(step, Order.paid_at).label("slot")
    statement = (
        select(slot, Order.currency, func.sum(Order.total_minor).label("minor"))
        .where(Order.paid_at >= begin, Order.paid_at < end)
        .group_by(slot, Order.currency)
    )
    for row in session.execute(statement):
        by_time[row.slot].revenue[row.currency] += int(row.minor)


def slot_of(
    step: Step, at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
) -> ColumnElement[datetime]:
    """The hour or day of a moment; takes half the time of date_trunc, which asks for the zone."""
    return func.date_bin(_STEPS[step], at, _MIDNIGHT)
