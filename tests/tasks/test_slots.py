"""A thread that becomes free wakes the event loop of its worker."""

from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from celery.concurrency.thread import TaskPool
from kombu.asynchronous import Hub

import tasks
from tasks.slots import WakeTheLoop


@pytest.fixture
def pool() -> Iterator[TaskPool]:
    pool = TaskPool(1)
    pool.start()
    yield pool
    pool.stop()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


def _run(pool: TaskPool) -> None:
    pool.apply_async(lambda: None, callback=lambda _result: None)


def _first_events(hub: Hub) -> list[int]:
    """What a poll without a time-out returns: it does not return if nothing wakes it."""
    return [fd for fd, _ in hub.poller.poll(None)]


def test_the_loop_is_woken_whenever_a_thread_is_free(pool: TaskPool, hub: Hub) -> None:
    step = WakeTheLoop(SimpleNamespace(pool=pool))
    step.start(SimpleNamespace(pool=pool, hub=hub))

    for _ in range(3):
        _run(pool)
        assert _first_events(hub) == [step._reader]
        step._drain()


def test_a_pipe_that_is_full_of_calls_stops_no_thread(pool: TaskPool) -> None:
    step = WakeTheLoop(SimpleNamespace(pool=pool))

    for _ in range(70_000):
        step._wake(Future())


def test_every_worker_has_the_step() -> None:
    assert WakeTheLoop in tasks.app.steps["consumer"]
