"""A thread's own line to Redis: it outlives what a pool would notice, and keeps time."""

import gc
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis, RedisError
from redis import TimeoutError as RedisTimeoutError

from sandbox.servers import free_port
from tasks.doorbell import redis_client
from tasks.line import Line, Script

pytestmark = pytest.mark.usefixtures("app")

TWICE = Script("return {KEYS[1], 2 * ARGV[1]}")


@pytest.fixture
def line() -> Line:
    return Line(redis_client())


@pytest.fixture
def redis() -> "Iterator[Redis]":
    with redis_client(timeout=5) as client:
        yield client


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(line: Line, redis: "Redis") -> None:
    known = line.ask("CLIENT", "ID")
    redis.client_kill_filter(_id=known)

    assert line.ask("CLIENT", "ID") != known


def test_what_cannot_be_reached_is_an_error_at_once_and_later_no_more() -> None:
    line = Line(redis_client(url=f"redis://127.0.0.1:{free_port(None)}/0"))

    for _ in range(2):
        with pytest.raises(RedisError):
            line.ask("PING")


def test_silence_is_not_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = Line(redis_client(0.05, url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))

        with pytest.raises(RedisTimeoutError):
            line.ask("PING")


def test_an_answer_that_came_too_late_is_no_answer_to_the_next(line: Line, redis: "Redis") -> None:
    assert line.ask("ECHO", "first") == b"first"
    redis.client_pause(700, all=True)
    with pytest.raises(RedisTimeoutError):
        line.ask("ECHO", "late")
    redis.client_unpause()

    assert line.ask("ECHO", "next") == b"next"


def _connected(redis: "Redis") -> set[int]:
    return {int(each["id"]) for each in redis.client_list()}


def test_each_thread_has_a_connection_of_its_own_as_long_as_it_lives(
    line: Line, redis: "Redis"
) -> None:
    def known() -> int:
        number: int = line.ask("CLIENT", "ID")
        return number

    gc.disable()
    try:
        with ThreadPoolExecutor(1) as another:
            others = another.submit(known).result()
            assert others != known()
            assert others in _connected(redis)
        patience = time.monotonic() + 5
        while others in _connected(redis):  # nor is it left for the collector
            assert time.monotonic() < patience
    finally:
        gc.enable()


def test_a_forked_process_has_a_connection_of_its_own(line: Line) -> None:
    known = line.ask("CLIENT", "ID")
    ours, childs = os.pipe()
    if (child := os.fork()) == 0:
        os.write(childs, b"%d" % line.ask("CLIENT", "ID"))
        os._exit(0)
    os.waitpid(child, 0)

    assert int(os.read(ours, 20)) != known
    assert line.ask("CLIENT", "ID") == known


def test_a_script_is_known_by_its_hash_and_told_anew_to_who_forgot_it(
    line: Line, redis: "Redis"
) -> None:
    redis.script_flush()
    assert line.run(TWICE, ["a"], [21]) == [b"a", 42]
    assert redis.script_exists(TWICE.sha) == [True]
    assert line.run(TWICE, ["b"], [4]) == [b"b", 8]
