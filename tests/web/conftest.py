"""The real app, watched: whatever it answers must be what its document promises."""

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from redis import Redis

from tests.mail import MailServer
from tests.web.contract import ContractClient

settings.register_profile("hostile", max_examples=7000)


@pytest.fixture
def app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    from tasks.doorbell import channel  # noqa: PLC0415 - after the environment is set

    monkeypatch.setattr(app, "test_client_class", ContractClient)
    with Redis.from_url(os.environ["REDIS_URL"]) as client:  # others' wrong passwords are not ours
        client.delete(channel(""), *client.scan_iter(channel("tries:*")))
    return app


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client that keeps cookies."""
    return app.test_client()


@pytest.fixture
def sign_in(app: Flask) -> Callable[[str], FlaskClient]:
    """Signs somebody new of this role in, each in a browser of their own."""
    from tests import shop  # noqa: PLC0415 - after the environment is set

    numbers = count()

    def sign_in(role: str) -> FlaskClient:
        browser, email = app.test_client(), f"{role}-{next(numbers)}@example.com"
        shop.make_user(email, role)
        assert shop.log_in(browser, email).status_code == 200
        return browser

    return sign_in


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
