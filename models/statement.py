"""A statement of the hottest path: it goes to the driver without the ORM's layers.

It runs on the session's own connection and in its transaction, and fails as any other would.
"""

from collections.abc import Mapping
from typing import Any, cast

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.base import forget_the_row


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
        connection = session.connection()
        driver = cast("psycopg.Connection", connection.connection.driver_connection)
        try:
            return driver.execute(self._wire_sql, values).fetchall()
        except psycopg.Error as error:
            raise _failure(connection, self.sql, error) from error


def _failure(connection: Connection, sql: str, error: psycopg.Error) -> Exception:
    """What SQLAlchemy would raise; a connection that is lost is not used again."""
    driver = connection.connection.dbapi_connection
    is_lost = connection.dialect.is_disconnect(cast("Any", error), driver, None)
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
