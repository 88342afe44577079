"""The declarative base and the one `db` that carries engine and session in web and worker."""

import time
from datetime import datetime
from typing import Annotated, Any

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    DateTime,
    Engine,
    ExceptionContext,
    Identity,
    MetaData,
    Text,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry
from sqlalchemy.pool import ConnectionPoolEntry

from settings import Settings

_TRUSTED_SECONDS = 1.0

BigId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Json = dict[str, Any]


class Base(DeclarativeBase):
    # Flask-SQLAlchemy copies this body into a base of its own, so both share one registry.
    registry = registry(
        metadata=MetaData(
            naming_convention={
                "pk": "pk_%(table_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
            }
        ),
        type_annotation_map={
            int: BigInteger,
            str: Text,
            datetime: DateTime(timezone=True),
            Json: JSONB,
        },
    )


db = SQLAlchemy(
    model_class=Base, session_options={"expire_on_commit": False}, disable_autonaming=True
)


@event.listens_for(Engine, "handle_error")
def _on_error(context: ExceptionContext) -> None:
    error, raised = context.original_exception, context.sqlalchemy_exception
    if isinstance(error, psycopg.Error) and raised is not None:
        told = str(error)
        forget_the_row(error)
        raised.args = (str(raised.args[0]).replace(told, str(error)), *raised.args[1:])


def forget_the_row(error: psycopg.Error) -> None:
    """PostgreSQL's DETAIL quotes the row that it refused: what customers send stays unlogged."""
    if error.diag.message_detail:
        error.args = (error.diag.message_primary or "",)


def connect(app: Flask, settings: Settings, *, pool_size: int, pool_timeout: float) -> None:
    """Give the app its engine: bounded pool, and a bound on every statement and lock wait."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": pool_timeout,
        "pool_recycle": 1800,
        "pool_use_lifo": True,  # what is prepared on a connection serves whoever comes next
        "hide_parameters": True,  # what customers send must not reach the logs
        "connect_args": _connect_args(settings),
    }
    db.init_app(app)
    with app.app_context():
        _try_idle_connections(db.engine)


def _try_idle_connections(engine: Engine) -> None:
    """Try a connection that may have died unnoticed; one in steady use tells by itself."""

    @event.listens_for(engine, "checkin")
    def _note_time(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _try(connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


def _connect_args(settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "application_name": f"orders-{settings.instance}",
    }
    if settings.database_pooler == "transaction":
        # A transaction pooler hands each transaction another server: nothing may outlive it,
        # and the bounds below come by ALTER ROLE.
        arguments["prepare_threshold"] = None
    else:
        arguments["options"] = (
            "-c statement_timeout=5000 -c lock_timeout=2000"
            " -c idle_in_transaction_session_timeout=10000 -c timezone=UTC"
        )
    return arguments
