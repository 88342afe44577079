"""Crash points, found by watching: a forked child ends at any moment that the world can see.

A point lies before each SQL statement, commit and rollback, before and after each packet to a
provider, a mail server or the broker, and at the action's end. Between two neighbours nothing
outside the process changes, so a death anywhere is a death at one of them.
"""

import gc
import os
import re
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

import tasks
from models.base import db
from models.session import ring_with
from models.statement import Lone, Statement
from providers import registry
from tasks import peers
from web import piece_lock

_KILLED = 137  # what a shell says of SIGKILL
_PATIENCE_SECONDS = 30
_ASLEEP_SECONDS = 3600.0
_WORDS = 60
# What a Redis client says of itself when it connects, which changes nothing.
_GREETING = re.compile(rb"\*\d+\r\n\$\d+\r\n(HELLO|CLIENT|PING|SELECT)\r\n")

Stop = Callable[[], object]


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A moment of an action, as the world sees it; `number` counts from 1."""

    number: int
    what: str
    is_in_transaction: bool
    is_edge: bool
    """What is committed or said here is seen outside: the likeliest place of a mistake."""

    def __str__(self) -> str:
        return f"point {self.number}, {self.what}"


def die() -> NoReturn:
    """End like a killed process: nothing is flushed, closed or rolled back."""
    os._exit(_KILLED)


def freeze() -> None:
    """Stand still until somebody sends SIGCONT, then find that an hour has passed."""
    os.kill(os.getpid(), signal.SIGSTOP)
    monotonic = time.monotonic
    time.monotonic = lambda: monotonic() + _ASLEEP_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a process of the product has around it: its apps, and its peers by their ports."""

    apps: Sequence[Flask]
    peers: Mapping[int, str]


class Watch:
    """Inside a child: writes each point to the pipe `trail` and calls `stop` at point `at`."""

    def __init__(self, world: World, trail: int, at: int, stop: Stop) -> None:
        self._world, self._trail, self._at, self._stop = world, trail, at, stop
        self._passed = 0
        self._is_in_transaction = False
        self._has_committed = False

    def reach(self, what: str, *, is_edge: bool = False) -> None:
        """Note a point, and end there if it is the one."""
        self._passed += 1
        marks = f"{self._is_in_transaction:d}{is_edge or self._has_committed:d}"
        os.write(self._trail, f"{marks}{' '.join(what.split())[:_WORDS]}\n".encode())
        self._has_committed = False
        if self._passed == self._at:
            self._stop()

    def begin(self) -> None:
        """Leave to the parent what is the parent's alone, ring real bells, and look at all."""
        for app in self._world.apps:
            with app.app_context():
                db.engine.dispose(close=False)
                self._follow(db.engine)
        setattr(Statement, "rows", self._seen(Statement.rows))  # noqa: B010 - a method, to mypy
        for cached in (registry.get, peers.provider, peers.mail_server, piece_lock.lock):
            cached.cache_clear()
        tasks.doorbell.forget()
        ring_with(tasks.doorbell)
        time.sleep = lambda _seconds: None  # a pause changes nothing that could be seen
        # Whatever speaks TCP in Python is seen here; PostgreSQL's client is not, being C.
        for name in ("send", "sendall"):
            setattr(socket.socket, name, self._watched(getattr(socket.socket, name)))

    def _follow(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._on_statement)
        event.listen(engine, "commit", self._on_commit)
        event.listen(engine, "rollback", self._on_rollback)

    def _seen(self, rows: Callable[..., Any]) -> Callable[..., Any]:
        """The statements that the engine is not asked for: nothing else goes past it."""

        def seen(statement: Statement, session: Session, values: Any) -> Any:
            commits_itself = isinstance(session, Lone)
            self._on_statement(None, None, statement.sql, commits_itself=commits_itself)
            return rows(statement, session, values)

        return seen

    def _on_statement(self, *given: Any, commits_itself: bool = False) -> None:
        self.reach(f"before {given[2]}")
        self._is_in_transaction, self._has_committed = not commits_itself, commits_itself

    def _on_commit(self, _connection: Any) -> None:
        self.reach("before COMMIT", is_edge=True)
        self._is_in_transaction, self._has_committed = False, True

    def _on_rollback(self, _connection: Any) -> None:
        self.reach("before ROLLBACK")
        self._is_in_transaction = False

    def _watched(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def watched(sock: socket.socket, data: bytes, *flags: int) -> Any:
            if sock.family != socket.AF_INET or _GREETING.match(data):
                return send(sock, data, *flags)
            port = sock.getpeername()[1]
            peer = self._world.peers.get(port, f"peer at {port}")
            words = bytes(data[:_WORDS]).decode(errors="replace")
            self.reach(f"before telling the {peer}: {words}", is_edge=peer != "broker")
            sent = send(sock, data, *flags)
            self.reach(f"having told the {peer}: {words}", is_edge=peer != "broker")
            return sent

        return watched


class Child:
    """A fork of this warm process that does `action` and stops at point `at` (0: at none)."""

    def __init__(
        self, action: Callable[[], object], world: World, *, at: int = 0, stop: Stop = die
    ) -> None:
        self._is_over = False
        reader, writer = os.pipe()
        gc.freeze()  # or the child's first collection would copy every page
        with warnings.catch_warnings():
            # Newer Pythons warn of threads: the parent's wait for work and hold no lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            _live(action, Watch(world, writer, at, stop))
        gc.unfreeze()
        os.close(writer)
        self._trail = os.fdopen(reader, encoding="utf-8")

    def wait(self) -> str:
        """How it went: `killed`, `frozen`, `survived`, or what it ended with instead."""
        _, status = os.waitpid(self._pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return "frozen"
        self._is_over = True
        code = os.waitstatus_to_exitcode(status)
        return {0: "survived", _KILLED: "killed"}.get(code, f"exit {code}, see its traceback")

    def thaw(self) -> str:
        """Let a frozen child go on to its end; how it went."""
        os.kill(self._pid, signal.SIGCONT)
        return self.wait()

    def trail(self) -> Sequence[Point]:
        """The points that it reached; to be read once, after its end."""
        return [
            Point(number, line[2:-1], line[0] == "1", line[1] == "1")
            for number, line in enumerate(self._trail, start=1)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_over:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._trail.close()


def _live(action: Callable[[], object], watch: Watch) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE_SECONDS)
    gc.disable()
    try:
        watch.begin()
        action()
        watch.reach("at the end")
    except BaseException:  # noqa: BLE001 - no child may return into the test
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
