"""Web, sweeps and workers as processes of their own, on the database of the tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from sqlalchemy import text

import settings
from sandbox.servers import free_port
from tests.shop import await_that, database, sql

ROOT = Path(__file__).parents[2]
_WEB_PROCESSES = 2
_START_SECONDS = 60


@contextmanager
def serving(guard: str = "none", **changes: str) -> Iterator[str]:
    """Two web processes, perhaps without a guard; where they listen."""
    port = free_port()
    words = (
        *("--no-control-socket", "--worker-class", "web.shedding.Worker", "--threads", "16"),
        *("--workers", str(_WEB_PROCESSES), "--bind", f"127.0.0.1:{port}"),
        *("--logger-class", "web.access.GunicornLogger", "web:create_app()"),
    )
    told = {"LOG_LEVEL": "CRITICAL", "LONGEST_QUEUE_SECONDS": "0.5", **changes}
    with _process("serve", guard, *words, **told):
        url = f"http://127.0.0.1:{port}"
        await_that(lambda: _answers(url), _START_SECONDS)
        yield url


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


class Gated:
    """A process that waits at a gate once it has loaded everything."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def wait(self) -> None:
        """Return when it is at the gate."""
        assert self._said() == "ready\n"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """By SIGKILL: it has no time for anything."""
        self._process.kill()
        self._process.wait()

    def result(self) -> int:
        """How many orders it closed, once it is done."""
        return int(self._said())

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def gated(part: str, guard: str = "none") -> Iterator[Gated]:
    """A `sweep`, or a worker that does `work`, perhaps without a guard."""
    hurry = {"JOB_BACKOFF_CAP_SECONDS": "1", "LOG_LEVEL": "CRITICAL"}
    with _process(part, guard, **hurry) as process:
        yield Gated(process)


@contextmanager
def _process(*words: str, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contention.careless", *words],
        cwd=ROOT,
        env=settings.environment(**changes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def without_constraints() -> Iterator[None]:
    """Take the database's own checks of stock away, which would keep the careless from harm."""
    checks = sql(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'stock_item'::regclass AND contype = 'c'"
    )
    with database() as session:
        for name, _ in checks:
            session.execute(text(f"ALTER TABLE stock_item DROP CONSTRAINT {name}"))
    yield
    with database() as session:
        session.execute(text("TRUNCATE stock_item, orders CASCADE"))
        for name, definition in checks:
            session.execute(text(f"ALTER TABLE stock_item ADD CONSTRAINT {name} {definition}"))


@contextmanager
def with_many_live_payments() -> Iterator[None]:
    """Let an order have several at a time, which the database would not; its rows are gone then."""
    ((definition,),) = sql("SELECT pg_get_indexdef('uq_payment_live'::regclass)")
    with database() as session:
        session.execute(text("DROP INDEX uq_payment_live"))
    try:
        yield
    finally:
        with database() as session:
            session.execute(text("TRUNCATE stock_item, orders, webhook_event CASCADE"))
            session.execute(text(definition))
