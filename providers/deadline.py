"""A bound on a whole call: a peer that trickles bytes passes every read time-out on its way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from providers.base import OutcomeUnknown

T = TypeVar("T")


class Deadline:
    """Runs calls on threads of its own, so that the caller can walk away from one."""

    def __init__(self, seconds: float, threads: int) -> None:
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="provider-call")

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises; `OutcomeUnknown` if it takes longer than allowed."""
        running = self._threads.submit(function)
        try:
            return running.result(timeout=self._seconds)
        except TimeoutError:
            running.cancel()
            raise OutcomeUnknown(f"no whole answer within {self._seconds:g} s") from None
