"""When to come back: a crowd that was told the same moment would come back as a crowd."""

import threading
import time

SOON = 1
_LATEST = 30.0


class Appointments:
    """So many a second, one after another, and the first of them soon."""

    def __init__(self, a_second: float) -> None:
        self._pause = 1 / a_second
        self._lock = threading.Lock()
        self._next = 0.0

    def next(self) -> int:
        """In how many seconds to come back; half a minute at most."""
        with self._lock:
            now = time.monotonic()
            moment = max(now + SOON, self._next)
            self._next = min(moment + self._pause, now + _LATEST)
        return round(moment - now)
