"""How far the comparison with a provider's list has come: in steps, so that it can be cut short.

A run goes back from the present; each step ends where its time was up, and the next goes on
there. A run reaches back to the last one, and to the last 48 hours at least; once a day it goes
back further for what can change long after it was made.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.session import now

Compared = Literal["payments", "refunds", "disputes"]

_LOOK_BACK = timedelta(hours=48)
_OVERLAP = timedelta(hours=1)
_THOROUGH_EVERY = timedelta(days=1)
# Refunds that succeeded fail weeks later; a bank takes months over a dispute.
_REACHES = {"refunds": timedelta(days=35), "disputes": timedelta(days=120)}


class Reconciliation(Base):
    """What of a provider's list has been compared, and the run that is under way."""

    __tablename__ = "reconciliation"

    provider: Mapped[str] = mapped_column(primary_key=True)
    compared: Mapped[str] = mapped_column(primary_key=True)
    complete_at: Mapped[datetime | None]
    """When the last run began that came to its end."""
    thorough_at: Mapped[datetime | None]
    """When the last one began that went back as far as it is ever worth while."""
    began_at: Mapped[datetime | None]
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    """Whatever was made after this has been compared in the present run."""


class Span(NamedTuple):
    """What is left of a run; without `until`, all of it."""

    began_at: datetime
    since: datetime
    until: datetime | None


def present(session: Session) -> datetime:
    """The time of the database."""
    return session.execute(select(now())).scalar_one()


def resume(session: Session, provider: str, compared: Compared) -> Span:
    """What is left of the run under way; without one, a run begins."""
    row = _locked(session, provider, compared)
    if row.began_at is None or row.since is None:
        row.began_at = present(session)
        row.since = _since(row, row.began_at)
    return Span(row.began_at, row.since, row.until)


def whole(session: Session, provider: str, compared: Compared, since: datetime | None) -> Span:
    """A run of its own, which leaves no trace here: since then, or as far as the next would."""
    began_at = present(session)
    row = session.get(Reconciliation, (provider, compared)) or Reconciliation(compared=compared)
    return Span(began_at, since or _since(row, began_at), None)


def pass_on(
    session: Session, provider: str, compared: Compared, span: Span, reached: datetime | None
) -> None:
    """Have the run go on below `reached`, or end if that is None.

    Nothing happens if another worker has done the same step in the meantime.
    """
    row = _locked(session, provider, compared)
    if (row.began_at, row.until) != (span.began_at, span.until):
        return
    row.until = reached
    if reached is None:
        row.complete_at = span.began_at
        if span.since <= span.began_at - _reach(compared):
            row.thorough_at = span.began_at
        row.began_at = row.since = None


def _locked(session: Session, provider: str, compared: Compared) -> Reconciliation:
    new = insert(Reconciliation).values(provider=provider, compared=compared)
    session.execute(new.on_conflict_do_nothing())
    return session.scalars(
        select(Reconciliation).filter_by(provider=provider, compared=compared).with_for_update()
    ).one()


def _since(row: Reconciliation, began_at: datetime) -> datetime:
    starts = [began_at - _LOOK_BACK]
    if row.complete_at is not None:
        starts.append(row.complete_at - _OVERLAP)
    if row.thorough_at is None or row.thorough_at <= began_at - _THOROUGH_EVERY:
        starts.append(began_at - _reach(row.compared))
    return min(starts)


def _reach(compared: str) -> timedelta:
    return _REACHES.get(compared, timedelta(0))
