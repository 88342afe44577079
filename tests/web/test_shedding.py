"""Whoever has waited too long for a thread is told to come back, unless it must be heard."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests import shop
from tests.web.tiny import problem
from web import shedding


@pytest.fixture
def _late(client: FlaskClient) -> Iterator[None]:
    """Every request has waited for a minute."""
    client.get("/healthz")  # what answers are held against is there by now
    was = shedding._waited.set(60)
    yield
    shedding._waited.reset(was)


@pytest.mark.usefixtures("_late")
def test_a_late_request_is_turned_away_and_nothing_was_done(client: FlaskClient) -> None:
    shop.make_item()
    before = shop.rows()

    answers = [client.post("/orders/create/", json=shop.order_body()) for _ in range(120)]

    assert {problem(answer) for answer in answers} == {(503, "busy")}
    pauses = [int(answer.headers["Retry-After"]) for answer in answers]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]
    assert shop.rows() == before


@pytest.mark.usefixtures("_late")
def test_what_must_be_heard_is_heard(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert problem(client.post("/orders/webhook/", data=b"{}")) == (400, "invalid_signature")
