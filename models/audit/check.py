"""A promise of the product, and a check: the query that finds the rows which break it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

import settings
from models.session import now, true_now

MOST_FOUND = 1000
"""More offenders than these are not told apart: whatever is wrong is wrong with all."""


class Found(NamedTuple):
    """A row that breaks a promise."""

    subject_id: int
    order_id: int | None
    detail: str


class Window(NamedTuple):
    """Rows of one table by their ids, both ends included."""

    low: int
    high: int


ALL = Window(0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Promise:
    """What must hold of every row of a table."""

    name: str
    """`noun.what_holds`, for people and for alerts."""
    invariant: int
    """Its number in the list of docs/audit.md."""
    subject: str
    """The table whose rows are judged."""
    repair: str
    """What a person should do about a row that breaks it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Check(Promise):
    """A promise that the database alone can be asked about."""

    query: str
    """Selects `id, order_id, detail` of the offenders between `:low` and `:high`.

    It may also use `:now`, `:true_now` and `:journal_since`, before which entries may be gone.
    """
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lists of words that the query uses, by name."""
    is_late: bool = False
    """Whether it is about time: work under way breaks it only if it takes too long."""
    at_once: bool = False
    """Whether an index leads to the offenders, so that the table need not be walked."""

    @cached_property
    def _statement(self) -> TextClause:
        lists = [bindparam(name, list(words), ARRAY(Text)) for name, words in self.words.items()]
        return text(f"{self.query}\nLIMIT {MOST_FOUND}").bindparams(*lists)

    def look(self, session: Session, window: Window, moment: Mapping[str, Any]) -> list[Found]:
        """The rows of the window that break the promise, `MOST_FOUND` at most."""
        rows = session.execute(self._statement, {**window._asdict(), **moment})
        return [Found(row.id, row.order_id, row.detail) for row in rows]


def moment(session: Session) -> dict[str, Any]:
    """The times that queries ask about."""
    kept = settings.current().keep_journal_days
    known, true = session.execute(select(now(), true_now())).one()
    since = known - timedelta(days=kept) if kept else "-infinity"
    return {"now": known, "true_now": true, "journal_since": since}
