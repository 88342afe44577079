"""Every statement that this process sends to PostgreSQL, and where in the product it comes from."""

import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import psycopg

ROOT = Path(__file__).parents[2]
_PRODUCT = ("models", "tasks", "web")
BETWEEN = tuple(Path(f"models/{name}.py") for name in ("function", "rows", "session", "statement"))
_VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_MOST_OF_ONE = 3
"""Plans differ with the values: so many of a statement's are kept."""


class Sent(NamedTuple):
    """A statement with the values that it was sent with, and the module that sent it."""

    sql: str
    values: Any
    place: str


class Recording:
    """What has been sent, each statement of a place a few times."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], list[Sent]] = {}

    def note(self, query: Any, values: Any) -> None:
        sql = query.decode() if isinstance(query, bytes) else str(query)
        if not sql.lstrip("( \n").upper().startswith(_VERBS):
            return
        place = _place()
        known = self.sent.setdefault((place, sql), [])
        if place and len(known) < _MOST_OF_ONE and all(each.values != values for each in known):
            known.append(Sent(sql, values, place))

    @property
    def all(self) -> list[Sent]:
        return [one for each in self.sent.values() for one in each]


@contextmanager
def recording() -> Iterator[Recording]:
    """Listen at the driver, past which nothing goes."""
    recorded = Recording()
    execute, executemany = psycopg.Cursor.execute, psycopg.Cursor.executemany

    def noted(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        recorded.note(query, params)
        return execute(cursor, query, params, **options)

    def all_noted(cursor: Any, query: Any, params_seq: Sequence[Any], **options: Any) -> Any:
        recorded.note(query, next(iter(params_seq), None))
        return executemany(cursor, query, params_seq, **options)

    psycopg.Cursor.execute, psycopg.Cursor.executemany = noted, all_noted  # type: ignore[method-assign,assignment]
    try:
        yield recorded
    finally:
        psycopg.Cursor.execute, psycopg.Cursor.executemany = execute, executemany  # type: ignore[method-assign]


def keep(recorded: Recording, directory: Path, name: str) -> None:
    """Write it down for a process that looks at all of them."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.pickle").write_bytes(pickle.dumps(recorded.all))


def kept(directory: Path) -> list[Sent]:
    """What all processes of the suite have sent."""
    files = sorted(directory.glob("*.pickle"))
    assert files, f"nothing was recorded in {directory}"
    together: list[Sent] = []
    for file in files:
        together += pickle.loads(file.read_bytes())
    return together


def _place() -> str:
    """The innermost module of the product that is at work; empty if a test asks by itself."""
    frame: FrameType | None = sys._getframe(3)  # of whoever called the cursor
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            name = path.relative_to(ROOT)
            if name.parts[0] in _PRODUCT and name not in BETWEEN:
                return str(name)
            if name.parts[0] == "tests":
                return ""
        frame = frame.f_back
    return ""
