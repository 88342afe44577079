"""The journal: every change of state, what and who and why, in the transaction that made it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import ForeignKey, Index
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import rows
from models.base import Base, BigId
from models.rows import Rows
from models.session import now
from models.statement import Statement

StateTable = Mapping[str, frozenset[str]]
"""From each state, the states that may follow."""


class JournalEntry(Base):
    """Append-only."""

    __tablename__ = "journal"
    __table_args__ = (Index(None, "order_id", "id"), Index(None, "subject", "subject_id"))

    id: Mapped[BigId]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    subject: Mapped[str]
    subject_id: Mapped[int]
    what: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    who: Mapped[str]
    why: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now())


# Only the clock and terms of ours are interpolated, never a value (S608).
def _writing(order_id: str, subject_id: str) -> str:
    return f"""
INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why, at)
SELECT {order_id}, %(subject)s, {subject_id}, %(what)s, %(was)s, %(becomes)s, %(who)s, %(why)s,
       {now()}"""


_WRITE = Statement(f"{_writing('%(order_id)s::bigint', '%(subject_id)s::bigint')} RETURNING id")


def write(
    session: Session,
    subject: Any,
    what: str,
    was: str | None,
    becomes: str | None,
    *,
    who: str,
    why: str,
) -> None:
    """Append one line about a row of the database and, if it belongs to one, of an order."""
    table = subject.__tablename__
    entry = {
        "order_id": subject.id if table == "orders" else getattr(subject, "order_id", None),
        "subject_id": subject.id,
        "subject": table,
        "what": what,
        "was": was,
        "becomes": becomes,
        "who": who,
        "why": why,
    }
    _WRITE.row(session, entry)


def said(
    kind: type[Base], what: str, was: str | None, becomes: str | None, *, who: str, why: str
) -> dict[str, str | None]:
    """The parameters of `of_what_changed`; `what` is said of a row of this kind."""
    table = kind.__tablename__
    return {
        "subject": table,
        "what": f"{table}.{what}",
        "was": was,
        "becomes": becomes,
        "who": who,
        "why": why,
    }


@cache
def of_what_changed(kind: type[Base]) -> str:
    """The same line, as a part of the statement that makes or changes the row as `changed`."""
    columns = kind.__table__.columns
    own = "id" if kind.__tablename__ == "orders" else "order_id" if "order_id" in columns else None
    order_id = f"changed.{own}" if own else "NULL::bigint"
    return f"{_writing(order_id, 'changed.id')} FROM changed"


def move(
    session: Session,
    row: Any,
    table: StateTable,
    to: str,
    *,
    who: str,
    why: str,
    column: str = "state",
    is_locked: bool = False,
    **values: Any,
) -> bool:
    """Move a row to another state if `table` allows it from where the database has it.

    The row is locked and then judged: of two that race, the second sees what the first did. A
    caller that has locked the row, and read it since, says so. Sets `values` along with the state
    and refreshes `row`. False, and nothing written, if not allowed.
    """
    was = getattr(row, column) if is_locked else rows.lock(session, row, column)
    if to not in table.get(was or "", ()):
        return False
    kind = cast("type[Base]", type(row))
    told = said(kind, column, was, to, who=who, why=why)
    also = of_what_changed(kind)
    if not rows.change(session, row, {column: was}, also, told, **{column: to, **values}):
        raise NoResultFound(f"{kind.__tablename__} {row.id} is not {was}")
    return True


_TIMELINE = Rows(JournalEntry, "WHERE order_id = %(order_id)s ORDER BY id")
_LAST = Rows(
    JournalEntry, "WHERE order_id = %(order_id)s AND what = %(what)s ORDER BY id DESC LIMIT 1"
)


def timeline(session: Session, order_id: int) -> Sequence[JournalEntry]:
    """The journal of the order, oldest first."""
    return _TIMELINE.all(session, order_id=order_id)


def last(session: Session, order_id: int, what: str) -> JournalEntry | None:
    """The latest line of the order that says this."""
    return _LAST.first(session, order_id=order_id, what=what)
