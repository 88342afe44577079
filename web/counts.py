"""What `web.limits` counts, as one process does it alone: the same rules, in its own memory."""

import threading
import time
from collections.abc import Sequence

MINUTE = 60_000_000
"""In microseconds: a bucket fills in this time."""
FORGOTTEN_SECONDS = 3600
"""Wrong passwords are forgotten so long after the last one."""
LONGEST_WAIT_SECONDS = 300

_MOST_NAMES = 20_000


class OwnCounts:
    """Bounded in memory: what is of no more use goes first, and then everything."""

    def __init__(self, free_tries: Sequence[int]) -> None:
        self._free_tries = free_tries
        self._full_at: dict[str, float] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def draw(self, name: str, per_minute: int) -> float:
        """Zero, and one more is counted, or the seconds to wait."""
        with self._lock:
            now = time.monotonic()
            full = max(now, self._full_at.get(name, 0.0)) + 60 / per_minute
            wait = full - 60 - now
            if wait > 0:
                return wait
            if len(self._full_at) >= _MOST_NAMES:
                self._full_at = {n: at for n, at in self._full_at.items() if at > now}
            if len(self._full_at) >= _MOST_NAMES:
                self._full_at.clear()
            self._full_at[name] = full
            return 0.0

    def attempt(self, names: Sequence[str]) -> float:
        """Zero, and one more try is counted for each, or the seconds to wait."""
        with self._lock:
            now = time.monotonic()
            tried = [self._tried(name, now) for name in names]
            waits = map(_wait, tried, self._free_tries, [now] * len(tried))
            if (wait := max(waits)) > 0:
                return wait
            if len(self._tries) >= _MOST_NAMES:
                self._tries.clear()
            self._tries |= {
                name: (count + 1, now) for name, (count, _) in zip(names, tried, strict=True)
            }
            return 0.0

    def forgive(self, names: Sequence[str]) -> None:
        """Forget the first count, and take one try back from the others."""
        with self._lock:
            self._tries.pop(names[0], None)
            for name in names[1:]:
                count, last = self._tries.get(name, (1, 0.0))
                self._tries[name] = (count - 1, last)

    def _tried(self, name: str, now: float) -> tuple[int, float]:
        count, last = self._tries.get(name, (0, now))
        return (count, last) if now - last < FORGOTTEN_SECONDS else (0, now)


def _wait(tried: tuple[int, float], free: int, now: float) -> float:
    count, last = tried
    if count < free:
        return 0.0
    return min(2.0 ** min(count - free, 30), LONGEST_WAIT_SECONDS) - (now - last)
