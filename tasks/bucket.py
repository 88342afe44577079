"""Token buckets: what all workers together may ask of a provider in a second.

A script in Redis draws from the buckets of all processes, by Redis's own clock. Without Redis
each process draws from buckets of its own, filled at a quarter of the rate. A bucket is kept as
the moment at which it will be full: whoever draws a token moves that moment on by one interval.

Who finds no token joins a line that only says when to come back: each is told a moment of their
own, one interval after the one before, so that a crowd comes back in a row. Whoever comes first
then draws first; a moment that is missed is lost to nobody.
"""

import logging
import random
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from redis import RedisError

from tasks.breaker import NotNowError
from tasks.doorbell import channel, redis_client
from tasks.line import Line, Script

_BURST_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 60.0
_SILENT_SECONDS = 5.0
_SHARE_WITHOUT_REDIS = 4
_MICROSECONDS = 1_000_000
_MOST = int(_LONGEST_PAUSE_SECONDS * _MICROSECONDS)

# A moment further off than the longest pause was written by a clock that has been set back.
_LUA = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function moment(key)
  local at = tonumber(redis.call('GET', key) or 0)
  return at > now + ARGV[1] and now or math.max(now, at)
end
local function keep(key, at)
  redis.call('SET', key, at, 'PX', math.ceil((at - now) / 1000) + 1000)
end
"""
# KEYS: the buckets, then the line; ARGV: longest pause, patience, then an interval and a depth
# for each bucket, all in microseconds. Zero if a token was drawn from each, else the wait.
_DRAW = Script(f"""{_LUA}
local line, full, wait, slowest = KEYS[#KEYS], {{}}, 0, 0
for i = 1, #KEYS - 1 do
  local interval, depth = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  full[i] = moment(KEYS[i])
  wait = math.max(wait, full[i] + interval - depth - now)
  slowest = math.max(slowest, interval)
end
if wait > 0 and wait <= tonumber(ARGV[2]) then
  return wait
elseif wait > 0 then
  local turn = math.min(math.max(moment(line), now + wait) + slowest, now + ARGV[1])
  keep(line, turn)
  return turn - now
end
for i = 1, #KEYS - 1 do
  keep(KEYS[i], full[i] + ARGV[2 * i + 1])
end
return 0
""")
_EMPTY = Script(
    f"{_LUA} keep(KEYS[1], math.max(moment(KEYS[1]), now + math.min(ARGV[1], ARGV[2])))"
)

logger = logging.getLogger(__name__)


class ThrottledError(NotNowError):
    """The provider is asked as fast as it likes already; nothing came of this call."""


class Draw(NamedTuple):
    """One token out of a bucket, in microseconds: its worth, and how far below full one may go."""

    bucket: str
    interval: int
    depth: int

    @classmethod
    def of(cls, bucket: str, per_second: float, depth: float = 1.0) -> "Draw":
        """A token of the bucket that is filled at this rate; `depth` is a share of its size."""
        interval = round(_MICROSECONDS / per_second)
        return cls(bucket, interval, max(interval, round(_BURST_SECONDS * _MICROSECONDS * depth)))


class Buckets:
    """The buckets of all processes in Redis, and this process's own for when it is away."""

    def __init__(self) -> None:
        self._line = Line(redis_client())
        self._own = OwnBuckets()
        self._silent_until = 0.0

    def draw(self, draws: Sequence[Draw], line: str, patience: float) -> None:
        """Have one token of each bucket within `patience` seconds, or raise `ThrottledError`."""
        deadline = time.monotonic() + patience
        while True:
            left = max(0.0, deadline - time.monotonic())
            pause = self._ask(draws, line, left)
            if pause == 0:
                return
            if pause > left:
                raise ThrottledError(f"no token for {line}", spread(pause))
            time.sleep(pause)

    def empty(self, draw: Draw, seconds: float) -> None:
        """Let nobody have a token of this bucket for a while."""
        full_in = int(seconds * _MICROSECONDS) + draw.depth - draw.interval
        if self._is_silent:
            return self._own.empty(draw.bucket, full_in)
        try:
            self._line.run(_EMPTY, [channel(draw.bucket)], [_MOST, full_in])
        except RedisError as error:
            self._do_without(error)
            self._own.empty(draw.bucket, full_in)
        return None

    @property
    def _is_silent(self) -> bool:
        return time.monotonic() < self._silent_until

    def _ask(self, draws: Sequence[Draw], line: str, patience: float) -> float:
        """Draw a token of each, or say in how many seconds to ask again."""
        patience_left = int(patience * _MICROSECONDS)
        if not self._is_silent:
            try:
                return self._ask_redis(draws, line, patience_left)
            except RedisError as error:
                self._do_without(error)
        return self._own.ask(draws, line, patience_left) / _MICROSECONDS

    def _ask_redis(self, draws: Sequence[Draw], line: str, patience: int) -> float:
        keys = [channel(name) for name in (*(each.bucket for each in draws), line)]
        sizes = [size for each in draws for size in (each.interval, each.depth)]
        return float(self._line.run(_DRAW, keys, [_MOST, patience, *sizes])) / _MICROSECONDS

    def _do_without(self, error: RedisError) -> None:
        self._silent_until = time.monotonic() + _SILENT_SECONDS
        logger.warning("providers are asked slowly, without Redis, for a while: %r", error)


class OwnBuckets:
    """The buckets of this process alone: as the script has it, at a share of the rate."""

    def __init__(self) -> None:
        self._moments: dict[str, int] = {}
        self._lock = threading.Lock()

    def ask(self, draws: Sequence[Draw], line: str, patience: int) -> int:
        """Draw a token of each bucket and return 0, or the microseconds to wait."""
        slower = [_slower(each) for each in draws]
        with self._lock:
            now = time.monotonic_ns() // 1000
            full = {each.bucket: self._moment(each.bucket, now) for each in slower}
            wait = max(full[each.bucket] + each.interval - each.depth - now for each in slower)
            if wait > patience:
                wait = self._join(line, max(each.interval for each in slower), now, wait)
            elif wait <= 0:
                self._moments |= {each.bucket: full[each.bucket] + each.interval for each in slower}
        return max(0, wait)

    def empty(self, bucket: str, full_in: int) -> None:
        """Let this bucket be full again in so many microseconds, or later if it was empty."""
        with self._lock:
            now = time.monotonic_ns() // 1000
            self._moments[bucket] = max(self._moment(bucket, now), now + full_in)

    def _moment(self, name: str, now: int) -> int:
        return max(now, self._moments.get(name, 0))

    def _join(self, line: str, interval: int, now: int, wait: int) -> int:
        turn = min(max(self._moment(line, now), now + wait) + interval, now + _MOST)
        self._moments[line] = turn
        return turn - now


def _slower(draw: Draw) -> Draw:
    interval = draw.interval * _SHARE_WITHOUT_REDIS
    return draw._replace(interval=interval, depth=max(interval, draw.depth))


def spread(pause: float) -> float:
    """A pause of at least this length, so that those who were told the same do not meet."""
    return random.uniform(1.0, 1.25) * pause  # noqa: S311 - spreads load only
