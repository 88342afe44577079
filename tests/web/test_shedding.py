"""Whoever has waited too long for a thread is told to come back, unless it must be heard."""

import socket
from collections.abc import Iterator
from io import BytesIO
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

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


# --- a thread that stays with its client ---


@pytest.fixture
def worker() -> Iterator[Any]:
    """As gunicorn makes it, with eight threads, so that two may stay."""
    worker = shedding.Worker.__new__(shedding.Worker)
    worker.cfg, worker.alive = SimpleNamespace(threads=8), True
    worker.tpool = worker.get_thread_pool()
    worker._room_to_stay = shedding.room_to_stay(8)
    yield worker
    worker.tpool.shutdown()


@pytest.fixture
def line() -> Iterator[tuple[Any, socket.socket]]:
    """A connection as the worker has it, and its client's end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        buffer = SimpleNamespace(buf=BytesIO())
        yield SimpleNamespace(sock=ours, parser=SimpleNamespace(unreader=buffer)), theirs


def test_who_asks_again_at_once_is_heard_and_who_does_not_is_not_waited_for(
    worker: Any, line: tuple[Any, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, client = line
    assert not worker._asks_again(conn)
    client.send(b"GET")
    assert worker._asks_again(conn)
    conn.sock.recv(3)

    monkeypatch.setattr(shedding, "_MOMENT_MILLISECONDS", 20_000)
    Thread(target=client.send, args=[b"GET"]).start()
    assert worker._asks_again(conn)


def test_a_thread_that_is_wanted_elsewhere_does_not_stay(
    worker: Any, line: tuple[Any, socket.socket]
) -> None:
    conn, client = line
    client.send(b"GET")
    over = Event()
    waiting = [worker.tpool.submit(over.wait) for _ in range(9)]  # one more than there are threads
    try:
        assert not worker._asks_again(conn)
    finally:
        over.set()
    assert all(each.result() for each in waiting)
    assert worker._asks_again(conn)

    conn.parser.unreader.buf.write(b"GET")
    assert not worker._asks_again(conn), "what was read ahead is not in the socket"
    conn.parser.unreader.buf = BytesIO()
    worker.alive = False
    assert not worker._asks_again(conn), "a worker that is to stop asks nobody"


def test_no_more_than_a_quarter_of_the_threads_stay(
    worker: Any, line: tuple[Any, socket.socket]
) -> None:
    conn, client = line
    client.send(b"GET")
    for _ in range(2):
        assert worker._room_to_stay.acquire(blocking=False)
    assert not worker._asks_again(conn)
    worker._room_to_stay.release()
    assert worker._asks_again(conn)
    assert worker._asks_again(conn), "room is given back"
