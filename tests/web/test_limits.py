"""How often clients may ask: counted in Redis, in memory without it, and never for long."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis, RedisError
from werkzeug.test import TestResponse

import settings
from tasks.doorbell import redis_client
from tests import shop
from tests.web.tiny import problem
from web import limits
from web.counts import OwnCounts

EMAIL = "ann@example.com"
HERE, THERE = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes settings of the running app."""

    def choose(**changes: Any) -> None:
        changed = replace(settings.current(), **changes)
        monkeypatch.setattr("settings.current", lambda: changed)

    return choose


@pytest.fixture(params=["with Redis", "without Redis"])
def counted(request: pytest.FixtureRequest, redis: "Redis") -> Iterator[str]:
    """Counts that begin anew, in Redis and then in memory."""
    limits.counts.cache_clear()
    if request.param == "without Redis":
        limits.counts()._ask(_refuse, lambda: None)
    yield request.param
    limits.counts.cache_clear()


def _refuse() -> None:
    raise RedisError("away")


def order(client: FlaskClient, **options: Any) -> TestResponse:
    return client.post("/orders/create/", json=shop.order_body(quantity=1), **options)


def log_in(client: FlaskClient, password: str, address: dict[str, str]) -> TestResponse:
    body = {"email": EMAIL, "password": password}
    return client.post("/auth/login/", json=body, environ_overrides=address)


def wait_of(answer: TestResponse) -> int:
    assert problem(answer) == (429, "too_many_requests")
    return int(answer.headers["Retry-After"])


# --- how often ---


def test_a_client_places_so_many_orders_a_minute_and_others_are_not_in_its_way(
    app: Flask, client: FlaskClient, counted: str, chosen: Callable[..., None]
) -> None:
    shop.make_item()
    chosen(limit_orders_per_minute=3)

    answers = [order(client, environ_overrides=HERE) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert 1 <= wait_of(answers[3]) <= 20
    assert order(app.test_client(), environ_overrides=HERE).status_code == 429  # same address
    assert order(client, environ_overrides=THERE).status_code == 201
    customer = app.test_client()
    shop.make_user(EMAIL)
    shop.log_in(customer, EMAIL)
    assert order(customer, environ_overrides=HERE).status_code == 201


def test_starting_payments_is_counted_apart_and_staff_are_not_counted(
    app: Flask, client: FlaskClient, counted: str, chosen: Callable[..., None]
) -> None:
    shop.make_item()
    chosen(limit_orders_per_minute=2)
    placed = shop.body_of(order(client))
    order(client)

    assert [shop.start(client, placed).status_code for _ in range(3)] == [202, 202, 429]
    clerk = app.test_client()
    shop.make_user("clerk@example.com", "clerk")
    shop.log_in(clerk, "clerk@example.com")
    assert {order(clerk).status_code for _ in range(4)} == {201}


def test_webhooks_are_never_too_many(
    client: FlaskClient, counted: str, chosen: Callable[..., None]
) -> None:
    chosen(limit_orders_per_minute=1, limit_sign_ups_per_minute=1)
    answers = {client.post("/orders/webhook/", data=b"{}").status_code for _ in range(5)}
    assert answers == {400}


def test_accounts_are_opened_so_many_a_minute(
    client: FlaskClient, counted: str, chosen: Callable[..., None]
) -> None:
    chosen(limit_sign_ups_per_minute=1)
    bodies = [{"email": f"{name}@example.com", "password": shop.PASSWORD} for name in "ab"]
    answers = [client.post("/auth/sign-up/", json=body).status_code for body in bodies]
    assert answers == [202, 429]


@pytest.mark.parametrize(
    ("one", "other", "is_one_client"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "", True),
    ],
)
def test_a_client_is_an_address_or_the_network_that_it_has_to_itself(
    app: Flask, one: str, other: str, *, is_one_client: bool
) -> None:
    called = []
    for address in (one, other):
        with app.test_request_context(environ_overrides={"REMOTE_ADDR": address}):
            called.append(limits.client())
    assert (called[0] == called[1]) is is_one_client


def test_redis_learns_neither_addresses_nor_names(
    client: FlaskClient, redis: "Redis", chosen: Callable[..., None]
) -> None:
    limits.counts.cache_clear()
    shop.make_item()
    chosen(limit_orders_per_minute=5)
    order(client, environ_overrides=HERE)
    log_in(client, "wrong", HERE)

    keys = [key.decode() for key in redis.scan_iter()]
    assert len([key for key in keys if "limit:" in key or "tries:" in key]) == 3
    assert not [key for key in keys if "192.0.2.1" in key or "ann" in key]
    assert all(redis.ttl(key) > 0 for key in keys if "limit:" in key or "tries:" in key)


# --- how many unpaid orders ---


def test_nobody_holds_half_the_shop(
    app: Flask, client: FlaskClient, chosen: Callable[..., None]
) -> None:
    shop.make_item()
    chosen(max_open_orders=2)
    headers = {"Idempotency-Key": "the-first"}
    order(client, headers=headers, environ_overrides=HERE)
    order(app.test_client(), environ_overrides=HERE)

    refused = order(client, environ_overrides=HERE)
    assert problem(refused) == (429, "too_many_open_orders")
    assert refused.headers["Retry-After"]
    assert shop.rows()["orders"] == 2
    again = order(client, headers=headers, environ_overrides=HERE)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert order(client, environ_overrides=THERE).status_code == 201

    shop.let_pass(minutes=16)
    assert order(client, environ_overrides=HERE).status_code == 201


# --- wrong passwords ---


def test_wrong_passwords_cost_ever_longer_waits_at_one_address_only(
    client: FlaskClient, counted: str
) -> None:
    shop.make_user(EMAIL)
    assert {log_in(client, "wrong", HERE).status_code for _ in range(5)} == {401}

    assert wait_of(log_in(client, "wrong", HERE)) == 1
    assert wait_of(log_in(client, shop.PASSWORD, HERE)) == 1  # even if it is the right one now
    assert log_in(client, shop.PASSWORD, THERE).status_code == 200  # the owner is elsewhere


def test_the_right_password_wipes_the_slate(client: FlaskClient, counted: str) -> None:
    shop.make_user(EMAIL)
    for _ in range(2):
        assert {log_in(client, "wrong", HERE).status_code for _ in range(4)} == {401}
        assert log_in(client, shop.PASSWORD, HERE).status_code == 200


def test_waits_double_up_to_five_minutes_and_are_forgotten(redis: "Redis") -> None:
    counts, names = limits.Limits(redis), ["tries:ann", "tries:here"]
    waits = []
    for _ in range(16):
        while (wait := counts.attempt(names)) > 0:
            waits.append(round(wait))
            _pass(redis, wait)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    assert counts.attempt(names) > 290
    _pass(redis, 3600)
    assert counts.attempt(names) == 0


def _pass(redis: "Redis", seconds: float) -> None:
    """Let the time of all keys go by, as far as Redis knows."""
    for key in redis.scan_iter():
        left = redis.pttl(key) - int(seconds * 1000) - 1
        redis.pexpire(key, max(left, 0)) if left > 0 else redis.delete(key)


def test_an_address_that_tries_many_accounts_waits_too(redis: "Redis") -> None:
    counts = limits.Limits(redis)
    tried = [counts.attempt([f"tries:{number}", "tries:here"]) for number in range(52)]
    assert tried[:50] == [0] * 50
    assert min(tried[50:]) > 0
    assert counts.attempt(["tries:0", "tries:elsewhere"]) == 0


def test_one_process_alone_counts_as_redis_does(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr("web.counts.time.monotonic", lambda: moment[0])
    own, names = OwnCounts((5, 50)), ["ann", "here"]
    waits = []
    for _ in range(16):
        while (wait := own.attempt(names)) > 0:
            waits.append(round(wait))
            moment[0] += wait
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    moment[0] += 3600
    assert own.attempt(names) == 0


def test_the_memory_of_one_process_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.counts._MOST_NAMES", 10)
    own = OwnCounts((5, 50))
    for number in range(100):
        own.draw(str(number), 1)
        own.attempt([f"ann{number}", "here"])
        assert len(own._full_at) <= 10
        assert len(own._tries) <= 12


def test_twenty_requests_at_once_draw_no_more_than_there_is(redis: "Redis") -> None:
    counts = limits.Limits(redis)
    drawn = shop.at_once(lambda _number: counts.draw("limit:x", 6), 20)
    assert drawn.count(0) == 6


# --- Redis is away ---


def test_a_frozen_redis_is_asked_once_and_then_left_alone(
    redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    counts = limits.Limits(redis_client(limits._TIMEOUT_SECONDS))
    pid = int(redis.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        drawn = [counts.draw("limit:x", 2) for _ in range(3)]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert drawn[:2] == [0, 0]
    assert drawn[2] > 0
    assert caplog.text.count("without Redis for a while") == 1
    assert limits._TIMEOUT_SECONDS <= 0.1
