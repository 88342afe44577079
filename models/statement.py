"""A statement of the hottest path: it goes to the driver without the ORM's layers.

It runs on the session's own connection and in its transaction, and fails as any other would.
"""

from collections.abc import Mapping
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.base import forget_the_row


class Lone:
    """As much of a session as statements need: each of them is committed by itself.

    It has a connection of the engine's pool, and none of the layers between.
    """

    def __init__(self, engine: Engine) -> None:
        self.info: dict[str, Any] = {}
        self.identity_map: dict[Any, Any] = {}
        self.dialect = engine.dialect
        self._pooled = engine.raw_connection()
        self._is_lost = False
        self.driver.autocommit = True

    @property
    def driver(self) -> "psycopg.Connection":
        return cast("psycopg.Connection", self._pooled.driver_connection)

    def add(self, _row: object) -> None:
        """Nobody will ask for it again."""

    def flush(self) -> None:
        """Nothing waits to be written."""

    def invalidate(self, error: BaseException) -> None:
        """The connection is lost."""
        self._pooled.invalidate(error)
        self._is_lost = True

    def close(self) -> None:
        """Give the connection back."""
        if self._is_lost:
            return
        try:
            self.driver.autocommit = False
        finally:  # one that is in no state for that is thrown away by the pool
            self._pooled.close()


class Statement:
    """One SQL statement with `%(named)s` parameters, which psycopg adapts and prepares."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._wire_sql = sql.encode()

    def row(self, session: Session, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first of its rows."""
        return next(iter(self.rows(session, values)), None)

    def rows(self, session: Session, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run in the session's transaction; all rows. Raises `DBAPIError`."""
        given: object = session
        held = given if isinstance(given, Lone) else session.connection()
        driver = given.driver if isinstance(given, Lone) else _driver_of(session.connection())
        try:
            return driver.execute(self._wire_sql, values).fetchall()
        except psycopg.Error as error:
            raise _failure(held, driver, self.sql, error) from error


def _driver_of(connection: Connection) -> "psycopg.Connection":
    return cast("psycopg.Connection", connection.connection.driver_connection)


def _failure(
    connection: Connection | Lone, driver: "psycopg.Connection", sql: str, error: psycopg.Error
) -> Exception:
    """What SQLAlchemy would raise; a connection that is lost is not used again."""
    is_lost = connection.dialect.is_disconnect(cast("Any", error), cast("Any", driver), None)
    if is_lost:
        connection.invalidate(error)
    forget_the_row(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=connection.dialect,
    )
