"""Walking through a table in windows, so that a large one is never looked at as a whole."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.audit import CHECKS
from models.audit.check import ALL, Check, Found, Window
from models.audit.finding import Finding, file
from models.base import Base

SUBJECTS = tuple(dict.fromkeys(check.subject for check in CHECKS if not check.at_once))
"""The tables that are walked."""


class AuditCursor(Base):
    """How far the periodic audit has come in a table."""

    __tablename__ = "audit_cursor"

    subject: Mapped[str] = mapped_column(primary_key=True)
    passed_id: Mapped[int]


def window_after(session: Session, subject: str, passed_id: int, size: int) -> Window | None:
    """The next `size` rows past an id; None at the end of the table."""
    ids = Base.metadata.tables[subject].c.id
    some = select(ids).where(ids > passed_id).order_by(ids).limit(size).subquery()
    high = session.scalar(select(func.max(some.c.id)))
    return None if high is None else Window(passed_id + 1, high)


def newest(session: Session, subject: str, size: int) -> Window:
    """The last `size` rows of a table, and whatever comes while they are looked at."""
    ids = Base.metadata.tables[subject].c.id
    some = select(ids).order_by(ids.desc()).limit(size).subquery()
    return Window(session.scalar(select(func.min(some.c.id))) or 0, ALL.high)


def passed(session: Session, subject: str) -> int:
    """The id up to which the present round has come."""
    cursor = session.get(AuditCursor, subject)
    return cursor.passed_id if cursor else 0


def pass_on(session: Session, subject: str, passed_id: int) -> None:
    """Have the round go on past this id; from the beginning if it is 0."""
    new = insert(AuditCursor).values(subject=subject, passed_id=passed_id)
    session.execute(
        new.on_conflict_do_update(index_elements=["subject"], set_={"passed_id": passed_id})
    )


def examine(
    session: Session, check: Check, window: Window, moment: Mapping[str, Any]
) -> list[Found]:
    """Look at the rows of a window, and file what is found there."""
    found = check.look(session, window, moment)
    file(session, check, found, Finding.subject_id.between(*window))
    return found
