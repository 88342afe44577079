"""Run the migrations: one release at a time, and never waiting long for a lock of the shop's."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, create_engine, text

from models.tables import Base

_ONE_RELEASE_AT_A_TIME = 7_203_114_221


def _configure(**options: object) -> None:
    context.configure(target_metadata=Base.metadata, compare_server_default=True, **options)


def _run(connection: Connection) -> None:
    _configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_RELEASE_AT_A_TIME})"))
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()


url = current_app.config["SQLALCHEMY_DATABASE_URI"]
if context.is_offline_mode():
    _configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url)  # not the app's: a migration may take longer than its bounds
    with engine.connect() as connection:
        _run(connection)
    engine.dispose()
