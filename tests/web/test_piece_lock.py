"""The lock of a piece answers quickly and protects nothing: PostgreSQL decides who gets it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

import settings
from models import stock
from tasks.doorbell import redis_client
from tests import shop
from tests.web.tiny import problem
from web import piece_lock
from web.piece_lock import BeingBoughtError, PieceLock

KEY = "orders:test:piece:VASE"


@pytest.fixture
def lock(redis: "Redis") -> PieceLock:
    return PieceLock(redis_client())


@pytest.fixture
def _without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose Redis does not answer."""
    nowhere = replace(settings.current(), redis_url="redis://127.0.0.1:1")
    monkeypatch.setattr("settings.current", lambda: nowhere)
    monkeypatch.setattr(piece_lock.lock(), "_redis", redis_client())
    monkeypatch.setattr(piece_lock.lock(), "_unlocked_until", 0.0)


def buy(client: FlaskClient, **changes: str) -> tuple[int, str | None]:
    body = shop.order_body("VASE", 1, **changes)
    answer = shop.patiently(lambda: client.post("/orders/create/", json=body))
    return answer.status_code, shop.body_of(answer).get("code")


def test_whoever_comes_while_another_buys_is_told_at_once_and_may_come_again(
    client: FlaskClient, lock: PieceLock
) -> None:
    shop.make_item("VASE", 1, is_unique=True)
    before = shop.rows()

    with lock.held(["VASE"]):
        answer = client.post("/orders/create/", json=shop.order_body("VASE", 1))

    assert problem(answer) == (409, "being_bought")
    assert answer.headers["Retry-After"] == "1"
    assert "VASE" in answer.get_json()["detail"]
    assert shop.rows() == before
    assert buy(client) == (201, None)


def test_a_lock_is_given_back_whatever_became_of_the_order(
    client: FlaskClient, redis: "Redis"
) -> None:
    shop.make_item("VASE", 1, is_unique=True)

    assert buy(client, currency="USD") == (422, "wrong_currency")
    assert buy(client) == (201, None)
    assert buy(client) == (409, "out_of_stock")
    assert redis.exists(KEY) == 0


def test_only_pieces_are_locked(client: FlaskClient, lock: PieceLock) -> None:
    shop.make_item("VASE", 10)

    with lock.held(["VASE"]):
        assert buy(client) == (201, None)


def test_all_locks_are_taken_or_none(redis: "Redis", lock: PieceLock) -> None:
    with lock.held(["VASE"]), pytest.raises(BeingBoughtError), lock.held(["OIL", "VASE"]):
        pass

    assert redis.keys("*") == []


def test_a_lock_that_expired_and_was_taken_by_another_is_left_alone(
    redis: "Redis", lock: PieceLock
) -> None:
    with lock.held(["VASE"]):
        assert 0 < redis.pttl(KEY) <= 5000
        redis.set(KEY, "another")

    assert redis.get(KEY) == b"another"


def test_a_wiped_redis_lets_nobody_have_a_piece_twice(app: Flask, redis: "Redis") -> None:
    shop.make_item("VASE", 1, is_unique=True)

    def wipe_and_buy(_number: int) -> tuple[int, str | None]:
        redis.flushall()
        return buy(app.test_client(use_cookies=False))

    answers = shop.at_once(wipe_and_buy, 12)

    assert answers.count((201, None)) == 1
    assert shop.rows()["orders"] == 1


def test_a_lock_that_expires_while_its_holder_still_buys_lets_nobody_have_a_piece_twice(
    app: Flask, redis: "Redis"
) -> None:
    item_id = shop.make_item("VASE", 1, is_unique=True)

    def waiting() -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return int(shop.sql(query)[0][0])

    with ThreadPoolExecutor(2) as buyers:
        with shop.database() as session:
            stock.lock(session, [item_id])  # whoever buys has to wait here
            first = buyers.submit(buy, app.test_client(use_cookies=False))
            shop.await_that(lambda: waiting() == 1)
            assert redis.pexpire(KEY, 1)
            shop.await_that(lambda: not redis.exists(KEY))
            second = buyers.submit(buy, app.test_client(use_cookies=False))
            shop.await_that(lambda: waiting() == 2)
        answers = first.result(), second.result()

    assert sorted(answers, key=str) == [(201, None), (409, "out_of_stock")]
    assert redis.exists(KEY) == 0


@pytest.mark.usefixtures("_without_redis")
def test_without_redis_pieces_are_sold_all_the_same_and_once(app: Flask) -> None:
    shop.make_item("VASE", 1, is_unique=True)

    answers = shop.at_once(lambda _: buy(app.test_client(use_cookies=False)), 12)

    assert sorted(answers, key=str) == [(201, None), *[(409, "out_of_stock")] * 11]
