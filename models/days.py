"""Days that are over, counted once: a month at a glance, however many orders it had.

What is kept is made of the orders alone and may be deleted at any time: a day that is not kept is
counted when it is looked at. A day may change when it is over, by an order of it that is paid
later; whoever looks asks whether that happened since the day was last known to be right.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import figures
from models.base import Base, Json
from models.figures import Slot
from models.orders import Order
from models.session import now

_DAYS = 30
_DAY = timedelta(days=1)
_SETTLING = timedelta(hours=1)
"""Longer than any transaction lasts: one that began on a day may commit on the next."""


class DayFigures(Base):
    """A day, UTC, that is over."""

    __tablename__ = "day_figures"

    begins: Mapped[datetime] = mapped_column(primary_key=True)
    placed: Mapped[int]
    paid: Mapped[int]
    half_paid_in: Mapped[float | None]
    most_paid_in: Mapped[float | None]
    revenue: Mapped[Json]
    right_at: Mapped[datetime]
    """When it was last counted, or nothing found that had changed it."""

    @property
    def slot(self) -> Slot:
        return Slot(
            begins=self.begins,
            placed=self.placed,
            paid=self.paid,
            half_paid_in=self.half_paid_in,
            most_paid_in=self.most_paid_in,
            revenue=defaultdict(int, self.revenue),
        )


def last_month(session: Session) -> list[Slot]:
    """The last thirty days, today included, oldest first; none is left out."""
    days = figures.last(session, "day", _DAYS)
    slots = {day.begins: day.slot for day in _kept(session, days)}
    for missing in _in_a_row([day for day in days if day not in slots]):
        slots |= {slot.begins: slot for slot in figures.counted(session, "day", missing)}
    return [slots[day] for day in days]


def keep(session: Session) -> int:
    """Count the days of the month that are over and not kept, or changed since; how many."""
    days, moment = figures.last(session, "day", _DAYS), session.execute(select(now())).scalar_one()
    right = [day.begins for day in _kept(session, days)]
    over = [day for day in days if day + _DAY + _SETTLING <= moment and day not in right]
    for day in over:
        (slot,) = figures.counted(session, "day", [day])
        _write(session, slot, moment)
    _still_right(session, right, moment)
    session.execute(delete(DayFigures).where(DayFigures.begins < days[0]))
    return len(over)


def _kept(session: Session, days: Sequence[datetime]) -> list[DayFigures]:
    """Those that nothing has changed since they were right."""
    kept = session.scalars(select(DayFigures).where(DayFigures.begins.in_(days))).all()
    if not kept:
        return []
    day = figures.slot_of("day", Order.created_at)
    changed = set(
        session.scalars(
            select(day)
            .distinct()
            .where(
                Order.paid_at >= min(each.right_at for each in kept) - _SETTLING,
                Order.created_at < days[-1],
            )
        )
    )
    return [each for each in kept if each.begins not in changed]


def _write(session: Session, slot: Slot, moment: datetime) -> None:
    values = {
        "placed": slot.placed,
        "paid": slot.paid,
        "half_paid_in": slot.half_paid_in,
        "most_paid_in": slot.most_paid_in,
        "revenue": dict(slot.revenue),
        "right_at": moment,
    }
    session.execute(
        insert(DayFigures)
        .values(begins=slot.begins, **values)
        .on_conflict_do_update(index_elements=[DayFigures.begins], set_=values)
    )


def _still_right(session: Session, days: Collection[datetime], moment: datetime) -> None:
    session.execute(
        update(DayFigures)
        .where(DayFigures.begins.in_(days))
        .values(right_at=moment)
        .execution_options(synchronize_session=False)
    )


def _in_a_row(days: Sequence[datetime]) -> Iterator[list[datetime]]:
    """Days that follow each other, together."""
    for _, run in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0] * _DAY):
        yield [day for _, day in run]
