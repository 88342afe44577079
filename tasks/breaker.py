"""Circuit breakers: while a peer is down, its jobs wait instead of failing one by one.

Each process finds out for itself that a peer is down, and up again.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_FAILURES_TO_OPEN = 5

logger = logging.getLogger(__name__)


class NotNowError(Exception):
    """A peer is not to be asked now: nothing happened, and `pause` seconds from now it may."""

    def __init__(self, why: str, pause: float) -> None:
        super().__init__(why)
        self.pause = pause


class PeerDownError(NotNowError):
    """The peer did not answer lately; nothing was asked of it now."""

    def __init__(self, peer: str, pause: float) -> None:
        super().__init__(f"{peer} does not answer", pause)


class Peer(Protocol):
    """Whom a job speaks to: asked when it is to be asked."""

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns or raises, or `NotNowError` if nothing happened."""


class Breaker:
    """Closed; open for `pause` seconds after failures in a row; then one call may try."""

    def __init__(
        self,
        peer: str,
        failures: tuple[type[Exception], ...],
        on_close: Callable[[], object],
        pause: float = 5.0,
    ) -> None:
        self._peer = peer
        self._failures = failures
        self._on_close = on_close
        self._pause = pause
        self._in_a_row = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns or raises, or `PeerDownError` without calling it."""
        self._enter()
        try:
            answer = function(*arguments)
        except self._failures:
            self._failed()
            raise
        except Exception:
            self._answered()
            raise
        self._answered()
        return answer

    @property
    def _is_open(self) -> bool:
        return self._in_a_row >= _FAILURES_TO_OPEN

    def _enter(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._is_open and now < self._open_until:
                raise PeerDownError(self._peer, self._open_until - now)
            self._open_until = now + self._pause  # if it is open, this call alone may try

    def _failed(self) -> None:
        with self._lock:
            self._in_a_row += 1
            self._open_until = time.monotonic() + self._pause
            has_opened = self._in_a_row == _FAILURES_TO_OPEN
        if has_opened:
            logger.warning("%s does not answer; its jobs wait", self._peer)

    def _answered(self) -> None:
        with self._lock:
            was_open = self._is_open
            self._in_a_row = 0
        if was_open:
            logger.warning("%s answers again", self._peer)
            self._close()

    def _close(self) -> None:
        try:
            self._on_close()
        except Exception:
            logger.exception("what waited for %s could not be pulled forward", self._peer)
