"""Whole rows by the driver: read, locked and changed as objects of the session.

For the statements of the hottest paths, where the ORM's own way costs four times as much. What
comes back is what `select(kind)` would give: the session's one object for each row, brought up to
date. Whatever the session has still to write is written first.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from psycopg.types.json import Jsonb
from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.orm import ClassManager, Session, configure_mappers, make_transient_to_detached
from sqlalchemy.orm.attributes import instance_dict, manager_of_class, set_committed_value

from models.base import Base
from models.statement import Statement

Row = TypeVar("Row", bound=Base)

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Rows(Generic[Row]):
    """The rows of a mapped class that `rest`, what follows FROM its table, tells.

    `rest` names parameters as in `%(id)s`. `besides` is a term of SQL that is asked for with each.
    """

    def __init__(self, kind: type[Row], rest: str, besides: str = "") -> None:
        self._kind = kind
        asked = ", ".join(filter(None, (columns(kind), besides)))
        # Only names of ours and what a module says are interpolated, never a value.
        self._statement = Statement(f"SELECT {asked} FROM {_table(kind)} {rest}")  # noqa: S608

    def all(self, session: Session, **values: Any) -> list[Row]:
        session.flush()
        found = self._statement.rows(session, values)
        return [known(session, self._kind, row) for row in found]

    def first_with(self, session: Session, **values: Any) -> tuple[Row, Any] | None:
        """The first row, and what was asked for with it."""
        session.flush()
        found = self._statement.row(session, values)
        return (known(session, self._kind, found[:-1]), found[-1]) if found else None

    def first(self, session: Session, **values: Any) -> Row | None:
        return next(iter(self.all(session, **values)), None)

    def one(self, session: Session, **values: Any) -> Row:
        """The only one; raises NoResultFound or MultipleResultsFound."""
        found = self.all(session, **values)
        if not found:
            raise NoResultFound(f"no row of {_table(self._kind)}")
        if len(found) > 1:
            raise MultipleResultsFound(f"{len(found)} rows of {_table(self._kind)}")
        return found[0]


def change(
    session: Session,
    row: Base,
    when: Mapping[str, Any],
    also: str = "",
    said: Mapping[str, Any] = _NOTHING,
    /,
    **values: Any,
) -> bool:
    """Give the row these values and show them, if `when` holds of it; False if it does not.

    A value may be a term of SQL such as `now()`. `also` is a statement that is carried out with
    it, in which `changed` is the row as it has become, and `said` are that one's parameters.
    """
    session.flush()
    terms, given = _terms(type(row), values)
    statement = _updating(type(row), tuple(values), tuple(terms), tuple(when), also)
    conditions = {f"was_{name}": value for name, value in when.items()}
    own = {**given, **conditions, "row_id": cast("Any", row).id}
    changed = statement.row(session, {**said, **own})
    if changed is not None:
        _bring_up_to_date(row, changed)
    return changed is not None


def lock(session: Session, row: Base, name: str) -> Any:
    """Lock the row; this column's value as the database has it, or None if it has no such row."""
    session.flush()
    found = _locking(type(row), name).row(session, {"id": cast("Any", row).id})
    return found[0] if found else None


def _terms(kind: type[Base], values: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """What each value is in SQL, and the parameters in that."""
    terms: list[str] = []
    given: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, ColumnElement):
            term, parameters = _compiled(name, value)
            terms.append(term)
            given |= parameters
        else:
            terms.append(f"%({name})s")
            given[name] = Jsonb(value) if name in _documents(kind) and value is not None else value
    return terms, given


def _compiled(name: str, term: ColumnElement[Any]) -> tuple[str, dict[str, Any]]:
    compiled = term.compile(dialect=_DIALECT)
    sql, given = str(compiled), dict[str, Any]()
    for parameter, value in compiled.params.items():
        sql = sql.replace(f"%({parameter})s", f"%({name}_{parameter})s")
        given[f"{name}_{parameter}"] = value
    return sql, given


@cache
def _locking(kind: type[Base], name: str) -> Statement:
    return Statement(
        f"SELECT {name} FROM {_table(kind)} WHERE id = %(id)s FOR NO KEY UPDATE"  # noqa: S608
    )


@cache
def _updating(
    kind: type[Base],
    names: tuple[str, ...],
    terms: tuple[str, ...],
    when: tuple[str, ...],
    also: str,
) -> Statement:
    changes = ", ".join(f"{name} = {term}" for name, term in zip(names, terms, strict=True))
    conditions = "".join(f" AND {name} = %(was_{name})s" for name in when)
    changing = (
        f"UPDATE {_table(kind)} SET {changes} WHERE id = %(row_id)s{conditions}"  # noqa: S608
        f" RETURNING {columns(kind)}"
    )
    if not also:
        return Statement(changing)
    both = f"WITH changed AS ({changing}), also AS ({also})"
    return Statement(f"{both} SELECT {columns(kind)} FROM changed")  # noqa: S608


def known(session: Session, kind: type[Row], values: tuple[Any, ...]) -> Row:
    """The session's object for this row, of which `columns` have just been read."""
    names = _names(kind)
    key = kind.__mapper__.identity_key_from_primary_key((values[names.index("id")],))
    known = session.identity_map.get(key)
    if known is not None:
        _bring_up_to_date(known, values)
        return cast("Row", known)
    row: Row = _manager(kind).new_instance()  # its constructor would note each value as a change
    instance_dict(row).update(zip(names, values, strict=True))
    make_transient_to_detached(row)
    session.add(row)
    return row


def _bring_up_to_date(row: Base, values: tuple[Any, ...]) -> None:
    for name, value in zip(_names(type(row)), values, strict=True):
        set_committed_value(row, name, value)


@cache
def _manager(kind: type[Base]) -> ClassManager[Any]:
    configure_mappers()  # which the first constructor of a process would have done
    return manager_of_class(kind)


@cache
def _names(kind: type[Base]) -> tuple[str, ...]:
    return tuple(column.name for column in _of(kind))


@cache
def columns(kind: type[Base]) -> str:
    """Its columns, by name, in the order that `known` takes them in."""
    return ", ".join(_names(kind))


@cache
def _documents(kind: type[Base]) -> frozenset[str]:
    return frozenset(column.name for column in _of(kind) if isinstance(column.type, JSONB))


def _of(kind: type[Base]) -> list[Column[Any]]:
    return list(cast("Table", kind.__table__).columns)


def _table(kind: type[Base]) -> str:
    return cast("Table", kind.__table__).name
