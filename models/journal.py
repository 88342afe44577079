"""The journal: every change of state, what and who and why, in the transaction that made it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, BigId
from models.session import now

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
    """Append one line about a row that has an `id` and, if it belongs to one, an `order_id`."""
    table = subject.__tablename__
    session.add(
        JournalEntry(
            order_id=subject.id if table == "orders" else getattr(subject, "order_id", None),
            subject=table,
            subject_id=subject.id,
            what=what,
            from_state=was,
            to_state=becomes,
            who=who,
            why=why,
        )
    )


def move(
    session: Session,
    row: Any,
    table: StateTable,
    to: str,
    *,
    who: str,
    why: str,
    column: str = "state",
    **values: Any,
) -> bool:
    """Move a row to another state if `table` allows it from where the database has it.

    One guarded statement: of two that race, the second sees what the first did. Sets `values`
    along with the state and refreshes `row`. False, and nothing written, if not allowed.
    """
    kind = type(row)
    state = getattr(kind, column)
    sources = [source for source, targets in table.items() if to in targets]
    before = (
        select(kind.id, state.label("was"))
        .where(kind.id == row.id)
        .with_for_update(key_share=True)
        .cte()
    )
    was = session.scalar(
        update(kind)
        .where(kind.id == before.c.id, before.c.was.in_(sources))
        .values({column: to, **values})
        .returning(before.c.was)
        .execution_options(synchronize_session=False)
    )
    if was is None:
        return False
    session.refresh(row)
    write(session, row, f"{kind.__tablename__}.{column}", was, to, who=who, why=why)
    return True
