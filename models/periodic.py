"""Periodic work: each slot of an entry is staged once, by whichever beat comes first.

The catch-up rule: slots that were missed while no beat ran are not made up for, and a slot
whose predecessor is still waiting adds nothing, so a backlog holds one job of an entry.
"""

from datetime import datetime, timedelta

from sqlalchemy import UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import job
from models.base import Base, BigId
from models.job import Job
from models.session import now


class PeriodicRun(Base):
    """A slot of a periodic entry that has been staged, by whichever beat came first."""

    __tablename__ = "periodic_run"
    __table_args__ = (UniqueConstraint("name", "slot"),)

    id: Mapped[BigId]
    name: Mapped[str]
    slot: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=now())


def stage(session: Session, name: str, kind: str, period: timedelta) -> bool:
    """Stage the present slot; False if it is staged already or its predecessor still waits."""
    epoch = session.execute(select(func.extract("epoch", now()))).scalar_one()
    slot = int(epoch // int(period.total_seconds()))
    if _is_waiting(session, name, before=slot):
        return False
    run = insert(PeriodicRun).values(name=name, slot=slot).on_conflict_do_nothing()
    if session.scalar(run.returning(PeriodicRun.id)) is None:
        return False
    job.stage(session, kind, key=_key(name, slot))
    return True


def _is_waiting(session: Session, name: str, *, before: int) -> bool:
    last = session.scalar(
        select(func.max(PeriodicRun.slot)).where(
            PeriodicRun.name == name, PeriodicRun.slot < before
        )
    )
    if last is None:
        return False
    state = session.scalar(select(Job.state).where(Job.dedupe_key == _key(name, last)))
    return state in ("ready", "leased")


def _key(name: str, slot: int) -> str:
    return f"{name}:{slot}"
