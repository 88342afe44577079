"""The doorbell: it rings real brokers, and no broker's trouble reaches a commit."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kombu.connection import Connection
from sqlalchemy import text

import settings
import tasks
from models.session import Rung, signal_after_commit
from sandbox.servers import free_port
from tasks import relay
from tasks.doorbell import Doorbell, channel, redis_client
from tasks.line import Line
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Doorbell:
    """A bell of the test's own that every commit rings."""
    jobs.declare(monkeypatch)
    own = Doorbell(tasks.app)
    monkeypatch.setattr("models.session._bell", own)
    return own


def point_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    url = f"redis://127.0.0.1:{port}/0"
    chosen = replace(settings.current(), redis_url=url, celery_broker_url=url)
    monkeypatch.setattr("settings.current", lambda: chosen)


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a broker that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield int(server.getsockname()[1])


@pytest.fixture(params=["closed", "frozen"])
def bad_port(request: pytest.FixtureRequest, frozen: int) -> int:
    return frozen if request.param == "frozen" else free_port(None)


def test_a_commit_succeeds_while_the_broker_does_not_answer_and_the_breaker_opens(
    monkeypatch: pytest.MonkeyPatch, bell: Doorbell, bad_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    point_to(monkeypatch, bad_port)

    jobs.stage("one")
    assert bell.is_silent
    jobs.stage("two")

    assert shop.sql("SELECT dedupe_key, state FROM job ORDER BY id") == [
        ("one", "ready"),
        ("two", "ready"),
    ]
    assert caplog.text.count("the doorbell is silent") == 1


def test_a_signal_that_cannot_be_given_is_no_error_either(
    monkeypatch: pytest.MonkeyPatch, bell: Doorbell, bad_port: int
) -> None:
    point_to(monkeypatch, bad_port)
    with shop.database() as session:
        signal_after_commit(session, "payment:7")
    assert bell.is_silent


def test_the_bell_rings_again_when_its_pause_is_over(
    monkeypatch: pytest.MonkeyPatch, bell: Doorbell
) -> None:
    with monkeypatch.context() as away:
        point_to(away, free_port(None))
        jobs.stage("one")
    was_silent = bell.is_silent
    bell._silent_until -= 5  # so many seconds later
    assert (was_silent, bell.is_silent) == (True, False)
    with redis_client() as redis:
        key = f"{settings.current().redis_prefix}payments"
        redis.delete(key)
        jobs.stage("two")
        assert redis.llen(key) == 1
        redis.delete(key)


def test_the_relay_leaves_jobs_for_later_while_the_bell_is_silent(
    monkeypatch: pytest.MonkeyPatch, bell: Doorbell
) -> None:
    jobs.stage()
    with shop.database() as session:
        session.execute(text("UPDATE job SET rung_at = rung_at - interval '1 h'"))
    monkeypatch.setattr(tasks, "doorbell", bell)
    rung_at = "SELECT rung_at FROM job"
    before = shop.sql(rung_at)
    bell._silent_until = float("inf")

    with tasks.database_app.app_context():
        assert relay.ring_due() == 0
        assert shop.sql(rung_at) == before
        bell._silent_until = 0.0
        assert relay.ring_due() == 1
    assert shop.sql(rung_at) != before


def test_a_change_is_told_to_whoever_listens_for_its_row(bell: Doorbell) -> None:
    with redis_client(timeout=10) as redis, redis.pubsub() as ear:
        ear.subscribe(channel("payment:7"))
        assert ear.get_message(timeout=10)["type"] == "subscribe"
        with shop.database() as session:
            signal_after_commit(session, "payment:8")
            signal_after_commit(session, "payment:7")
        told = ear.get_message(timeout=10)
    assert (told["channel"].decode(), told["data"]) == (channel("payment:7"), b"")


def test_a_ring_is_the_message_that_celery_itself_would_send(bell: Doorbell) -> None:
    with redis_client(timeout=10) as redis:
        key = f"{settings.current().redis_prefix}payments"
        redis.delete(key)
        bell([Rung(7, "payments.refresh")], [])
        with Connection(
            settings.current().celery_broker_url,
            transport_options={"global_keyprefix": settings.current().redis_prefix},
        ) as connection:
            tasks.app.send_task(
                "payments.refresh", args=[7], ignore_result=True, connection=connection
            )
        celerys, ours = (json.loads(message) for message in redis.lrange(key, 0, -1))
        redis.delete(key)
    for message in (celerys, ours):
        ids = [message["headers"].pop(name) for name in ("id", "root_id")]
        assert message["properties"].pop("correlation_id") == ids[0] == ids[1]
        assert message["properties"].pop("delivery_tag")
        message["properties"].pop("reply_to")  # nobody waits for an answer
        message["headers"].pop("timelimit")  # without any, the worker's own hold
    assert ours == celerys


def test_many_jobs_are_rung_for_in_their_order_with_one_call_a_queue(
    monkeypatch: pytest.MonkeyPatch, bell: Doorbell
) -> None:
    calls: list[object] = []
    ask = Line.ask

    def counted(line: Line, *command: str) -> object:
        calls.append(command[1])
        return ask(line, *command)

    monkeypatch.setattr(Line, "ask", counted)
    prefix = settings.current().redis_prefix
    with redis_client(timeout=10) as redis:
        redis.delete(f"{prefix}payments", f"{prefix}mail")
        bell([Rung(number, jobs.TRIAL) for number in range(5)], [])
        bell([Rung(5, jobs.TRIAL), Rung(6, "notifications.send")], [])
        taken = [redis.rpop(f"{prefix}payments") for _ in range(6)]
        redis.delete(f"{prefix}mail")
    assert [json.loads(each)["headers"]["argsrepr"] for each in taken] == [
        f"[{number}]" for number in range(6)
    ]
    assert calls == [f"{prefix}payments", f"{prefix}payments", f"{prefix}mail"]


def test_after_a_fork_no_connection_is_shared(bell: Doorbell) -> None:
    jobs.stage()
    bell([], ["payment:7"])
    before = (bell._broker, bell._redis)
    assert None not in before
    bell.forget()
    bell([Rung(1, jobs.TRIAL)], ["payment:7"])
    assert bell._broker is not before[0]
    assert bell._redis is not before[1]
