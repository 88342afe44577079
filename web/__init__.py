"""The Flask API: it validates, stores the fact with the job it makes necessary, and answers."""

from pathlib import Path

from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy import text
from werkzeug.middleware.proxy_fix import ProxyFix

import settings
import tasks
from models.base import connect, db
from models.session import transaction
from tasks.doorbell import redis_client
from web import (
    admission,
    auth,
    catalog,
    cli,
    desk,
    docs,
    edge,
    fulfilment,
    health,
    keys,
    orders,
    payments,
    refunds,
    sessions,
    staff,
    staff_catalog,
    staff_refunds,
    webhooks,
)

__all__ = ["create_app", "tasks"]

_MODULES = (
    orders,
    payments,
    fulfilment,
    refunds,
    webhooks,
    catalog,
    auth,
    keys,
    staff,
    staff_catalog,
    staff_refunds,
)

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_SCRIPTS = ScriptDirectory(str(_MIGRATIONS))


def create_app() -> Flask:
    """The application; raises `settings.SettingsError` if the environment does not add up."""
    chosen = settings.current()
    app = Flask(__name__, static_folder=None)
    connect(app, chosen, pool_size=max(4, chosen.web_threads // 2), pool_timeout=2)
    Migrate(app, db, directory=str(_MIGRATIONS))
    if chosen.trusted_proxies:
        hops = chosen.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    api = edge.install(app)
    sessions.register(app)
    cli.register(app)
    for module in _MODULES:
        api.register_blueprint(module.blueprint)
    app.register_blueprint(docs.blueprint(api))
    app.register_blueprint(desk.blueprint)
    checks = {"database": _database_answers, "migrations": _is_at_head, "broker": _redis_answers}
    api.register_blueprint(health.blueprint(checks, required={"database", "migrations"}))
    admission.refuse_undeclared(app, open_blueprints={"docs"})
    return app


def _database_answers() -> None:
    with transaction() as session:
        session.execute(text("SELECT 1"))


def _is_at_head() -> None:
    with transaction() as session:
        version = session.scalar(text("SELECT version_num FROM alembic_version"))
    if version != _SCRIPTS.get_current_head():
        raise RuntimeError(f"the schema is at {version}")


def _redis_answers() -> None:
    with redis_client() as client:
        client.ping()
