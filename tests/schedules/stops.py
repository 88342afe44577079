"""Workers of this process that die, or fall asleep, at a chosen point of a job.

A point lies before each statement and commit, and before and after each call to the outside. A
dead worker's transaction is rolled back, as PostgreSQL does for a lost connection, and its lease
stays. A sleeper stands outside of every transaction, and wakes in a world that has gone on.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pytest
from sqlalchemy import event

from models.base import db
from models.statement import Statement
from providers.deadline import Deadline
from tasks import database_app, smtp
from tasks.base import perform

T = TypeVar("T")

_PATIENCE_SECONDS = 30.0
_CALLS: Sequence[tuple[Any, str, bool]] = (
    (Statement, "rows", False),
    (Deadline, "call", True),
    (smtp, "send", True),
)
_present = threading.local()


class DeathError(BaseException):
    """The end of a worker: nobody catches it, as nobody catches a SIGKILL."""


class Stop:
    """Counts the points that the worker of one thread passes; the last of them is its end."""

    def __init__(self, points: int) -> None:
        self._left = points

    def reach(self, *, is_outside: bool) -> None:
        self._left -= 1
        if self._left < 0:
            raise DeathError


class Sleep(Stop):
    """Ends nothing: the worker stands still at a call until it is woken, or it dies there."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.is_asleep, self._may_go_on = threading.Event(), threading.Event()
        self._is_to_die = False

    def reach(self, *, is_outside: bool) -> None:
        self._left -= is_outside
        if self._left < 0 and is_outside and not self.is_asleep.is_set():
            self.is_asleep.set()
            assert self._may_go_on.wait(_PATIENCE_SECONDS)
            if self._is_to_die:
                raise DeathError

    def wake(self, *, to_die: bool) -> None:
        self._is_to_die = to_die
        self._may_go_on.set()


class Sleeper:
    """A worker on a thread of its own, who may fall asleep over a job."""

    def __init__(self, job_id: int, calls: int) -> None:
        self._sleep = Sleep(calls)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(job_id,), daemon=True)
        self._error: BaseException | None = None
        self._thread.start()
        while not self._sleep.is_asleep.wait(0.001) and not self._is_over.is_set():
            pass

    @property
    def is_asleep(self) -> bool:
        return not self._is_over.is_set()

    def wake(self, *, to_die: bool = False) -> None:
        """Go on to the end, or die on waking."""
        self._sleep.wake(to_die=to_die)
        self._thread.join(_PATIENCE_SECONDS)
        if self._error is not None:
            raise self._error

    def _live(self, job_id: int) -> None:
        try:
            _perform(job_id, self._sleep)
        except Exception as error:  # noqa: BLE001 - told where it is waited for
            self._error = error
        finally:
            self._is_over.set()


def die(job_id: int, points: int) -> None:
    """Do the job until so many points are passed."""
    _perform(job_id, Stop(points))


def _perform(job_id: int, stop: Stop) -> None:
    _present.stop = stop
    try:
        with suppress(DeathError):
            perform(job_id)
    finally:
        del _present.stop


def _reach(*_: Any, is_outside: bool = False) -> None:
    if (stop := getattr(_present, "stop", None)) is not None:
        stop.reach(is_outside=is_outside)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the points told of."""
    for owner, name, is_outside in _CALLS:
        monkeypatch.setattr(owner, name, _told(getattr(owner, name), is_outside))
    with database_app.app_context():
        engine = db.engine
    for name in ("before_cursor_execute", "commit"):
        event.listen(engine, name, _reach)
    yield
    for name in ("before_cursor_execute", "commit"):
        event.remove(engine, name, _reach)


def _told(function: Callable[..., T], is_outside: bool) -> Callable[..., T]:
    def told(*arguments: Any, **named: Any) -> T:
        _reach(is_outside=is_outside)
        answer = function(*arguments, **named)
        if is_outside:
            _reach(is_outside=True)
        return answer

    return told
