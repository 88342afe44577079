"""Faults on order: the next calls of an endpoint are slow, answered with an error, or cut off."""

import math
import threading
import time
from dataclasses import dataclass, replace
from typing import Literal

from sandbox.provider.refusal import Document

Kind = Literal["delay", "fail_before", "fail_after", "accept_then_cut", "cut"]
KINDS = ("delay", "fail_before", "fail_after", "accept_then_cut", "cut")


@dataclass(frozen=True)
class Fault:
    """What to do to the next `times` calls of an endpoint (`*` for any, None for all to come).

    After `lasts_seconds`, if they are given, it is over in any case.
    """

    endpoint: str
    fault: Kind
    status: int = 500
    code: str | None = None
    retry_after: int | None = None
    seconds: float = 0.0
    times: int | None = 1
    lasts_seconds: float | None = None


class Faults:
    """The faults that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared = threading.Event()
        self._pending: list[tuple[Fault, float]] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        lasts = math.inf if fault.lasts_seconds is None else fault.lasts_seconds
        with self._lock:
            self._pending.append((fault, time.monotonic() + lasts))

    def clear(self) -> None:
        """Call all of them off, and end the delays that run."""
        with self._lock:
            self._pending = []
            self._cleared.set()
            self._cleared = threading.Event()

    def pending(self) -> list[Document]:
        """Return what is still to come."""
        with self._lock:
            self._forget_what_is_over()
            return [vars(fault) for fault, _ in self._pending]

    def meet(self, endpoint: str) -> Fault | None:
        """Use up one delay of this endpoint, by waiting, and return one other fault of it."""
        with self._lock:
            delay = self._take(endpoint, delays=True)
            other = self._take(endpoint, delays=False)
            cleared = self._cleared
        if delay:
            cleared.wait(delay.seconds)
        return other

    def _take(self, endpoint: str, *, delays: bool) -> Fault | None:
        self._forget_what_is_over()
        for index, (fault, _) in enumerate(self._pending):
            if fault.endpoint in (endpoint, "*") and (fault.fault == "delay") == delays:
                self._use_up(index)
                return fault
        return None

    def _forget_what_is_over(self) -> None:
        now = time.monotonic()
        self._pending = [(fault, over) for fault, over in self._pending if now < over]

    def _use_up(self, index: int) -> None:
        fault, over = self._pending[index]
        if fault.times == 1:
            del self._pending[index]
        elif fault.times is not None:
            self._pending[index] = (replace(fault, times=fault.times - 1), over)
