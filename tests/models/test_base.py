"""The pool hands out living connections, and tries only those that were idle."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

import settings
from models import base
from models.base import connect, db
from models.session import transaction
from tests import shop


@pytest.fixture
def lone(app: Flask) -> Iterator[Flask]:
    """An app with one connection of its own."""
    lone = Flask("lone")
    connect(lone, settings.current(), pool_size=1, pool_timeout=2)
    with lone.app_context():
        yield lone
        db.engine.dispose()


def _backend() -> int:
    with transaction() as session:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.usefixtures("lone")
def test_a_connection_that_died_while_idle_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_TRUSTED_SECONDS", 0.0)
    before = _backend()
    shop.sql("SELECT pg_terminate_backend(:pid)", pid=before)

    assert _backend() != before


@pytest.mark.usefixtures("lone")
def test_a_connection_in_steady_use_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_TRUSTED_SECONDS", 60.0)
    before = _backend()
    monkeypatch.setattr(db.engine.dialect, "do_ping", None)

    assert _backend() == before
