"""Waiting for a worker's result without holding a database connection.

One Redis subscription in each process wakes whoever waits for a row that has changed. Without
Redis the row is looked at again after ever longer pauses: slower, never wrong. Whoever finds no
seat is told when to come back, one after another: a crowd that asks again and again, all of it
every second, would take from those who buy what the seats had spared them.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from redis import RedisError

import settings
from tasks.doorbell import channel, redis_client
from web.appointments import SOON, Appointments

_BLIND_LOOKS = (0.0, 0.1, 0.3, 0.7, 1.5, 3.0, 6.0, 12.0, 30.0)
_LOST_SIGNAL_LOOK = 1.0
_RECONNECT_PAUSE = 1.0
_APPOINTMENTS_A_SECOND = 5

logger = logging.getLogger(__name__)


class WaitingRoom:
    """At most half of the process's threads wait; the others keep serving."""

    def __init__(self, seats: int) -> None:
        self._seats = threading.BoundedSemaphore(seats)
        self._waiters: dict[str, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()
        self._listener: threading.Thread | None = None
        self._hears = threading.Event()
        self._appointments = Appointments(_APPOINTMENTS_A_SECOND)

    def wait(self, name: str, seconds: float, is_there: Callable[[], bool]) -> int:
        """Zero if `is_there` came true within `seconds`, else in how many to ask again.

        If all seats are taken that is said at once.
        """
        if seconds <= 0:
            return 0 if is_there() else SOON
        if not self._seats.acquire(blocking=False):
            return 0 if is_there() else self._appointments.next()
        try:
            with self._woken_by(name) as woken:
                return 0 if self._watch(woken, seconds, is_there) else SOON
        finally:
            self._seats.release()

    def _watch(self, woken: threading.Event, seconds: float, is_there: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        pauses = (later - sooner for sooner, later in pairwise(_BLIND_LOOKS))
        while not is_there():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            blind = next(pauses, _LOST_SIGNAL_LOOK)
            woken.wait(min(left, _LOST_SIGNAL_LOOK if self._hears.is_set() else blind))
            woken.clear()
        return True

    @contextmanager
    def _woken_by(self, name: str) -> Iterator[threading.Event]:
        woken = threading.Event()
        with self._lock:
            self._waiters[name].add(woken)
            self._listen()
        try:
            yield woken
        finally:
            with self._lock:
                self._waiters[name].discard(woken)
                if not self._waiters[name]:
                    del self._waiters[name]

    def _listen(self) -> None:
        if self._listener is None:  # not before a fork: threads do not survive one
            self._listener = threading.Thread(target=self._hear, name="signals", daemon=True)
            self._listener.start()

    def _hear(self) -> None:
        is_news = True
        while True:
            try:
                self._hear_until_it_breaks()
            except (RedisError, OSError) as error:
                if is_news or self._hears.is_set():
                    logger.warning("no signals for now: %r", error)
                is_news = False
            self._hears.clear()
            time.sleep(_RECONNECT_PAUSE)

    def _hear_until_it_breaks(self) -> None:
        prefix = channel("")
        with redis_client() as client, client.pubsub() as subscription:
            subscription.psubscribe(f"{prefix}*")
            while True:
                message = subscription.get_message(timeout=0.4)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    self._hears.set()
                else:
                    self._wake(message["channel"].decode().removeprefix(prefix))

    def _wake(self, name: str) -> None:
        with self._lock:
            for woken in self._waiters.get(name, ()):
                woken.set()


room = WaitingRoom(seats=max(1, settings.current().web_threads // 2))
