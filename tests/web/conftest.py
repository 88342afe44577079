"""The real app, watched: whatever it answers must be what its document promises."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from tests.mail import MailServer
from tests.web.contract import ContractClient


@pytest.fixture
def app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(app, "test_client_class", ContractClient)
    return app


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client that keeps cookies."""
    return app.test_client()


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer(monkeypatch) as server:
        yield server


@pytest.fixture
def redis(app: Flask, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Redis]":
    """The real Valkey, empty, and every commit rings the real doorbell."""
    import tasks  # noqa: PLC0415 - after the environment is set
    from tasks.doorbell import redis_client  # noqa: PLC0415

    monkeypatch.setattr("models.session._bell", tasks.doorbell)
    with redis_client(timeout=5) as client:
        client.flushall()
        yield client
        client.flushall()
