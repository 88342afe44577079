"""A Redis lock for each one-of-a-kind piece: the quick "someone else is buying this".

It thins out a crowd before PostgreSQL decides. Lost, expired, wiped or unreachable, it changes
how fast the losers hear of it, never who gets the piece; nothing of it enters SQL.
"""

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from redis import Redis, RedisError

from tasks.doorbell import channel, redis_client

_TIMEOUT_SECONDS = 0.2
_HELD_MILLISECONDS = 5_000
_PAUSE_AFTER_FAILURE = 5.0
# Only the lock that is still ours may be deleted.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"

logger = logging.getLogger(__name__)


class BeingBoughtError(Exception):
    """Another buyer's order of this piece is being placed at this moment."""

    def __init__(self, sku: str) -> None:
        super().__init__(sku)
        self.sku = sku


class PieceLock:
    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._unlocked_until = 0.0

    @contextmanager
    def held(self, skus: Sequence[str]) -> Iterator[None]:
        """Hold the locks of all these pieces, or raise `BeingBoughtError` at once."""
        token = secrets.token_hex(8)
        taken: list[str] = []
        try:
            for sku in sorted(skus):
                if not self._take(sku, token):
                    raise BeingBoughtError(sku)
                taken.append(sku)
            yield
        finally:
            for sku in taken:
                self._release(sku, token)

    def _take(self, sku: str, token: str) -> bool:
        if time.monotonic() < self._unlocked_until:
            return True
        try:
            return bool(self._redis.set(_key(sku), token, nx=True, px=_HELD_MILLISECONDS))
        except RedisError as error:
            self._do_without(error)
            return True

    def _release(self, sku: str, token: str) -> None:
        if time.monotonic() < self._unlocked_until:
            return
        try:
            self._redis.eval(_RELEASE, 1, _key(sku), token)
        except RedisError as error:
            self._do_without(error)

    def _do_without(self, error: RedisError) -> None:
        self._unlocked_until = time.monotonic() + _PAUSE_AFTER_FAILURE
        logger.warning("pieces are sold without their locks for a while: %r", error)


def _key(sku: str) -> str:
    return channel(f"piece:{sku}")


@cache
def lock() -> PieceLock:
    """The lock of this process."""
    return PieceLock(redis_client(_TIMEOUT_SECONDS))
