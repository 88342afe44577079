"""The idempotency keys of the requests that run at this moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox.provider.refusal import Refusal


class KeysInUse:
    """Lets one request at a time run under a key."""

    def __init__(self, refusal: Callable[[str], Refusal]) -> None:
        self._refusal = refusal
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def claim(self, key: str | None) -> Iterator[None]:
        """Hold a key while its request runs; a second request with it meanwhile is refused."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise self._refusal(key)
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.remove(key)
