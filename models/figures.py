"""How the shop does: orders, money and the time to pay, hour by hour or day by day."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Index, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.orders import Order
from models.session import now

Step = Literal["hour", "day"]

_SLOTS: Mapping[Step, int] = {"hour": 24, "day": 30}
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


def slots(session: Session, step: Step) -> list[Slot]:
    """The last day by hours or the last month by days, oldest first; none is left out."""
    last = session.execute(select(func.date_trunc(step, now(), "UTC"))).scalar_one()
    begins = [last - _STEPS[step] * back for back in reversed(range(_SLOTS[step]))]
    by_time = {moment: Slot(begins=moment) for moment in begins}
    _add_orders(session, step, by_time)
    _add_revenue(session, step, by_time)
    return list(by_time.values())


def _add_orders(session: Session, step: Step, by_time: Mapping[datetime, Slot]) -> None:
    slot = _slot(step, Order.created_at).label("slot")
    wait = Order.paid_at - Order.created_at
    counted = (
        select(
            slot,
            func.count().label("placed"),
            func.count(Order.paid_at).label("paid"),
            func.percentile_cont([0.5, 0.95]).within_group(wait).label("waits"),
        )
        .where(Order.created_at >= min(by_time))
        .group_by(slot)
    )
    for row in session.execute(counted):
        if row.slot in by_time:
            found = by_time[row.slot]
            found.placed, found.paid = row.placed, row.paid
            if row.waits:
                found.half_paid_in, found.most_paid_in = (
                    each.total_seconds() for each in row.waits
                )


def _add_revenue(session: Session, step: Step, by_time: Mapping[datetime, Slot]) -> None:
    slot = _slot(step, Order.paid_at).label("slot")
    summed = (
        select(slot, Order.currency, func.sum(Order.total_minor).label("minor"))
        .where(Order.paid_at >= min(by_time))
        .group_by(slot, Order.currency)
    )
    for row in session.execute(summed):
        if row.slot in by_time:
            by_time[row.slot].revenue[row.currency] += int(row.minor)


def _slot(
    step: Step, at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
) -> ColumnElement[datetime]:
    """The hour or day of a moment; takes half the time of date_trunc, which asks for the zone."""
    return func.date_bin(_STEPS[step], at, _MIDNIGHT)
