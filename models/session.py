"""The one place that commits or rolls back, and the one clock of all SQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import CheckConstraint, ColumnElement, DateTime, Interval, delete
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.functions import FunctionElement

import settings
from models.base import Base, db
from models.statement import Lone


class ClockOffset(Base):
    """Outside production one row moves the clock of all SQL, minutes or weeks, for tests."""

    __tablename__ = "clock_offset"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    shift: Mapped[timedelta] = mapped_column(Interval)


class _Now(FunctionElement[datetime]):
    type = DateTime(timezone=True)
    inherit_cache = True


class _TrueNow(FunctionElement[datetime]):
    type = DateTime(timezone=True)
    inherit_cache = True


@compiles(_TrueNow)
def _render_true_now(_element: _TrueNow, _compiler: Any, **_kw: Any) -> str:
    return "clock_timestamp()"


@compiles(_Now)
def _render_now(_element: _Now, _compiler: Any, **_kw: Any) -> str:
    if settings.current().is_production:
        return "clock_timestamp()"
    shift = "coalesce((SELECT shift FROM clock_offset WHERE id = 1), interval '0')"
    return f"(clock_timestamp() + {shift})"


def now() -> ColumnElement[datetime]:
    """The time of the database, as SQL; tests may have moved it."""
    return _Now()


def true_now() -> ColumnElement[datetime]:
    """The unmoved time of the database, for leases: a shifted clock must not take work away."""
    return _TrueNow()


def move_clock(session: Session, shift: timedelta) -> None:
    """Set how far `now()` is from the true time; refused in production."""
    if settings.current().is_production:
        raise RuntimeError("the clock of production is not for moving")
    session.execute(delete(ClockOffset))
    session.add(ClockOffset(id=1, shift=shift))


class Rung(NamedTuple):
    """A staged job to ring for: its row and its kind."""

    job_id: int
    kind: str


Bell = Callable[[Sequence[Rung], Sequence[str]], None]


def _silence(_jobs: Sequence[Rung], _signals: Sequence[str]) -> None:
    """Ring nobody: without a bell the relay finds every staged job by itself."""


_bell: Bell = _silence


def ring_with(bell: Bell) -> None:
    """Have every commit hand its staged jobs and signals to `bell`, which must never raise."""
    global _bell  # noqa: PLW0603 - one bell in a process, set once when `tasks` is imported
    _bell = bell


def ring_after_commit(session: Session, rung: Rung) -> None:
    session.info.setdefault("jobs", []).append(rung)


def signal_after_commit(session: Session, name: str) -> None:
    """Tell waiting readers that the row called `name`, such as `payment:7`, has changed."""
    session.info.setdefault("signals", []).append(name)


@contextmanager
def at_once() -> Iterator[Session]:
    """A session whose every statement commits by itself: one round trip for a lone statement.

    Statements and `models.rows` work on it, not the rest of the ORM. In the end it rings for what
    was staged.
    """
    if db.session.registry.has() and db.session().in_transaction():
        raise RuntimeError("a transaction is open already; pass its session on")
    session = cast("Session", Lone(db.engine))
    try:
        yield session
        jobs, signals = _staged(session)
    finally:
        session.close()
    if jobs or signals:
        _bell(jobs, signals)


def _staged(session: Session) -> tuple[list[Rung], list[str]]:
    return session.info.get("jobs", []), session.info.get("signals", [])


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit all of the block or none of it, then ring for what it staged.

    The session is closed at the end: rows stay readable as they were, and nothing can
    lazily open another transaction behind the caller's back.
    """
    session: Session = db.session()
    if session.in_transaction():
        raise RuntimeError("a transaction is open already; pass its session on")
    try:
        with session.begin():
            yield session
        jobs, signals = _staged(session)
    finally:
        session.info.clear()
        session.close()
    if jobs or signals:
        _bell(jobs, signals)
