"""A watchdog in every worker: thread workers have no time limits of Celery's.

A process whose job is too old or whose memory is too large is ended on the spot. Its lease
expires or is freed, its supervisor starts another, and the ledger does the job again.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_SECONDS = 1.0
_EXIT_STATUS = 70  # EX_SOFTWARE
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

logger = logging.getLogger(__name__)


class Watchdog:
    def __init__(
        self, *, job_seconds: float, memory_bytes: int, bite: Callable[[int], object] = os._exit
    ) -> None:
        self._job_seconds = job_seconds
        self._memory_bytes = memory_bytes
        self._bite = bite
        self._jobs: dict[int, tuple[int, float]] = {}

    @contextmanager
    def watching(self, job_id: int) -> Iterator[None]:
        """Have the job that this thread does be watched."""
        thread = threading.get_ident()
        self._jobs[thread] = (job_id, time.monotonic())
        try:
            yield
        finally:
            del self._jobs[thread]

    def start(self) -> None:
        """Begin to look, once a second, for as long as the process lives."""
        threading.Thread(target=self._guard, name="watchdog", daemon=True).start()

    def _guard(self) -> None:
        while True:
            if (trouble := self.trouble()) is not None:
                logger.critical("this process ends: %s", trouble)
                logging.shutdown()
                self._bite(_EXIT_STATUS)
            time.sleep(_LOOK_SECONDS)

    def trouble(self) -> str | None:
        """Why the process must end, if it must."""
        now = time.monotonic()
        for job_id, began in list(self._jobs.values()):
            if now - began > self._job_seconds:
                return f"job {job_id} is {now - began:.0f} s old"
        memory = _resident_bytes()
        if self._memory_bytes and memory > self._memory_bytes:
            return f"it holds {memory // 2**20} MB"
        return None


def _resident_bytes() -> int:
    """What the process holds in memory now, as the kernel counts it; 0 where it does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
