"""Rate limits: how many requests each endpoint takes within any one second."""

import threading
import time
from collections import defaultdict, deque

WINDOW_SECONDS = 1.0


class Limits:
    """Remembers when each endpoint took its last requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._taken.clear()

    def admits(self, endpoint: str, most: int | None) -> bool:
        """Take one more request of an endpoint, unless it took `most` within the last second."""
        if most is None:
            return True
        with self._lock:
            taken, now = self._taken[endpoint], time.monotonic()
            while taken and taken[0] <= now - WINDOW_SECONDS:
                taken.popleft()
            if len(taken) >= most:
                return False
            taken.append(now)
            return True
