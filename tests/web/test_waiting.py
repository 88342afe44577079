"""Waiting for a worker: woken by its signal, without Redis by looking, and never in the way."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import settings
import tasks
from models.base import db
from tasks.base import drain
from tests import shop
from web import waiting
from web.appointments import SOON
from web.waiting import WaitingRoom

HOURS = 3600.0


@pytest.fixture
def _asleep_until_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits does not look again by themselves: only a signal can wake them."""
    monkeypatch.setattr(waiting, "_BLIND_LOOKS", (0.0, HOURS))
    monkeypatch.setattr(waiting, "_LOST_SIGNAL_LOOK", HOURS)


@pytest.fixture
def _without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = replace(settings.current(), redis_url="redis://127.0.0.1:1")
    monkeypatch.setattr("settings.current", lambda: nowhere)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> WaitingRoom:
    """The process's room, with one seat."""
    room = WaitingRoom(seats=1)
    monkeypatch.setattr(waiting, "room", room)
    return room


def seated(
    pool: ThreadPoolExecutor, room: WaitingRoom, is_there: Callable[[], bool]
) -> "Future[int]":
    """Someone who waits for `thing:1`, and whom a signal would reach."""
    waiter = pool.submit(room.wait, "thing:1", 20, is_there)
    shop.await_that(lambda: "thing:1" in room._waiters and room._hears.is_set())
    return waiter


@pytest.mark.usefixtures("redis", "_asleep_until_signalled")
def test_a_signal_wakes_whoever_waits_for_that_row(
    room: WaitingRoom, pool: ThreadPoolExecutor
) -> None:
    there = threading.Event()
    waiter = seated(pool, room, there.is_set)
    there.set()

    tasks.doorbell([], ["thing:2"])
    assert not waiter.done()
    tasks.doorbell([], ["thing:1"])

    assert waiter.result(timeout=15) == 0


@pytest.mark.usefixtures("_without_redis")
def test_without_redis_the_row_is_looked_at_again_and_again(room: WaitingRoom) -> None:
    looks = iter([False, False, False, True])

    assert room.wait("thing:1", 20, lambda: next(looks)) == 0
    assert list(looks) == []


@pytest.mark.usefixtures("redis")
def test_a_lost_signal_is_made_up_for_by_looking(
    room: WaitingRoom, pool: ThreadPoolExecutor
) -> None:
    there = threading.Event()
    waiter = seated(pool, room, there.is_set)

    there.set()

    assert waiter.result(timeout=15) == 0


def test_what_is_there_is_not_waited_for(room: WaitingRoom) -> None:
    assert room.wait("thing:1", HOURS, lambda: True) == 0


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_patience_ends(room: WaitingRoom, seconds: float) -> None:
    assert room.wait("thing:1", seconds, lambda: False) == SOON
    assert room._waiters == {}


def test_when_all_seats_are_taken_the_next_one_is_sent_away_at_once(
    app: Flask, room: WaitingRoom, pool: ThreadPoolExecutor
) -> None:
    client = app.test_client(use_cookies=False)
    shop.make_item()
    order = shop.place(client)
    there = threading.Event()
    waiter = seated(pool, room, there.is_set)

    answer = shop.start(client, order, Prefer="wait=30")

    assert not waiter.done()
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    there.set()
    assert waiter.result(timeout=15) == 0
    assert room.wait("thing:1", 0.01, iter([False, True]).__next__) == 0  # it is free


def test_a_crowd_without_seats_is_told_to_come_back_one_after_another(
    room: WaitingRoom, pool: ThreadPoolExecutor
) -> None:
    there = threading.Event()
    waiter = seated(pool, room, there.is_set)

    pauses = [room.wait("thing:1", 20, lambda: False) for _ in range(200)]

    there.set()
    assert waiter.result(timeout=15) == 0
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 30)
    assert max(map(pauses.count, range(1, 30))) <= 6  # a second


def test_a_look_that_cannot_wait_is_told_when_to_come_back(
    app: Flask, room: WaitingRoom, pool: ThreadPoolExecutor
) -> None:
    client = app.test_client(use_cookies=False)
    shop.make_item()
    order = shop.place(client)
    there = threading.Event()
    waiter = seated(pool, room, there.is_set)
    [room.wait("thing:2", 20, lambda: False) for _ in range(100)]

    answers = [
        client.get(f"/orders/{order['id']}/{query}", headers=shop.bearer(order))
        for query in ("?wait=20", "?wait=20&seen=paid", "")
    ]

    there.set()
    assert waiter.result(timeout=15) == 0
    assert [answer.get_json()["status"] for answer in answers] == ["pending"] * 3
    assert int(answers[0].headers["Retry-After"]) > 10
    assert not any("Retry-After" in answer.headers for answer in answers[1:])


@pytest.mark.usefixtures("redis", "_asleep_until_signalled", "room")
def test_a_waiting_buyer_holds_no_connection_and_is_woken_by_the_workers_commit(
    app: Flask, client: FlaskClient, pool: ThreadPoolExecutor
) -> None:
    shop.make_item()
    order = shop.place(client)

    def start() -> TestResponse:
        return shop.start(app.test_client(use_cookies=False), order, Prefer="wait=20")

    waiter = pool.submit(start)
    shop.await_that(lambda: waiting.room._waiters and waiting.room._hears.is_set())
    with app.app_context():
        shop.await_that(lambda: db.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
    assert not waiter.done()
    drain()

    answer = waiter.result(timeout=15)
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert answer.get_json()["client_secret"]
