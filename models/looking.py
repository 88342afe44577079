"""Looks at a provider: staged when an event leaves something open, or when too long nothing came.

Looks at one thing coalesce: however many events ask for one, a look that has not begun yet
serves them all.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Interval,
    case,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

import settings
from models import job
from models.base import Base
from models.intents import Subject
from models.payment import Payment
from models.refund import Refund
from models.session import now

Row = TypeVar("Row", Payment, Refund)

KINDS: dict[Subject, str] = {
    "payment": "payments.refresh",
    "refunds": "refunds.refresh",
    "disputes": "disputes.refresh",
}
# In units of JANITOR_SECONDS: after 1, 5, 30 minutes, 2 hours, 12 hours, then daily.
_SCHEDULE = (5, 30, 120, 720)
_DAILY = 1440


class Look(Base):
    """Numbers the looks at one thing, so that a fact that comes during one stages the next."""

    __tablename__ = "look"
    __table_args__ = (
        CheckConstraint("subject IN ('payment', 'refunds', 'disputes')", name="subject"),
    )

    payment_id: Mapped[int] = mapped_column(
        ForeignKey("payment.id"), primary_key=True, autoincrement=False
    )
    subject: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


def stage(session: Session, payment: Payment, subject: Subject) -> None:
    """Have the provider asked about it, unless a look that has not begun yet will."""
    job.stage(
        session,
        KINDS[subject],
        key=f"look:{subject}:{payment.id}:{_number(session, payment.id, subject)}",
        order_id=payment.order_id,
        payment_id=payment.id,
    )


def begin(session: Session, payment_id: int, subject: Subject) -> None:
    """From here on, what comes in needs another look."""
    session.execute(
        update(Look)
        .where(Look.payment_id == payment_id, Look.subject == subject)
        .values(number=Look.number + 1)
        .execution_options(synchronize_session=False)
    )


def _number(session: Session, payment_id: int, subject: Subject) -> int:
    # The update that changes nothing waits for a look that is just beginning.
    return session.execute(
        insert(Look)
        .values(payment_id=payment_id, subject=subject, number=0)
        .on_conflict_do_update(
            index_elements=[Look.payment_id, Look.subject], set_={"number": Look.number}
        )
        .returning(Look.number)
    ).scalar_one()


def overdue(session: Session, table: type[Row], limit: int) -> Sequence[Row]:
    """Rows of which nothing was heard for too long, each put off to its next time, locked."""
    due: Sequence[Row] = session.scalars(
        select(table)
        .where(table.look_at <= now())
        .order_by(table.look_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for row in due:
        row.look_at = now() + _units(_wait(row.looks))
        row.looks += 1
    session.flush()
    return due


def hasten(session: Session, row: Payment | Refund) -> None:
    """Have the provider asked now, since somebody waits for news, unless it was a moment ago.

    Of what the janitor has not had to ask about yet, there was news a moment ago.
    """
    if row.look_at is None or row.looks == 0:
        return
    if isinstance(row, Payment):
        if _is_stale(session, Payment, row.id):
            stage(session, row, "payment")
    elif _is_stale(session, Refund, row.id):
        stage(session, session.get_one(Payment, row.payment_id), "refunds")


def _is_stale(session: Session, table: type[Row], row_id: int) -> bool:
    """Whether it was not asked about a moment ago; from here on, it was."""
    waits = {looks: _units(_wait(looks - 1)) for looks in range(1, len(_SCHEDULE) + 1)}
    wait = case(waits, value=table.looks, else_=_units(_DAILY))
    row = session.scalar(
        select(table)
        .where(table.id == row_id, table.looks > 0, table.look_at - wait + _units(1) <= now())
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return False
    row.look_at = now() + _units(_wait(row.looks - 1))
    session.flush()
    return True


def soon() -> dict[str, Any]:
    """The values of a row of which something was just heard, and that has not ended."""
    return {"look_at": now() + _units(1), "looks": 0}


def no_more() -> dict[str, Any]:
    """The values of a row that has ended."""
    return {"look_at": None, "looks": 0}


def _wait(looks: int) -> int:
    return _SCHEDULE[looks] if looks < len(_SCHEDULE) else _DAILY


def _units(count: int) -> ColumnElement[timedelta]:
    return type_coerce(
        literal(timedelta(seconds=settings.current().janitor_seconds * count)), Interval
    )
