"""How often a client may ask, and how soon after a wrong password it may try again.

Counted in Redis for all processes, in one round trip; by each process alone while Redis is away.
What a client is called there is a pseudonym: neither addresses nor e-mails leave the database.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

from flask import request
from redis import Redis, RedisError

from models.tokens import pseudonym
from tasks.doorbell import channel, redis_client
from tasks.line import Line, Script
from web import callers
from web.counts import FORGOTTEN_SECONDS, LONGEST_WAIT_SECONDS, MINUTE, OwnCounts
from web.errors import Problem

T = TypeVar("T")

_TIMEOUT_SECONDS = 0.08
_PAUSE_AFTER_FAILURE = 5.0
_FREE_TRIES = (5, 50)
"""Wrong passwords that cost no wait: for one account from one address, and for an address."""

# KEYS: a bucket; ARGV: how long it takes to fill, and a token's share of that, in microseconds.
# A bucket is kept as the moment at which it will be full. Zero if a token was drawn, else the wait.
_DRAW = Script("""
local time = redis.call('TIME')
local now, whole = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + ARGV[2]
if full > now + 2 * whole then full = now + ARGV[2] end
local wait = full - whole - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
""")
# KEYS: counts of tries; ARGV: when they are forgotten and the longest wait, in milliseconds, then
# how many are free for each. Zero if the try may be made, which is counted, else the wait.
_TRY = Script("""
local wait = 0
for i, key in ipairs(KEYS) do
  local beyond = (tonumber(redis.call('GET', key) or 0)) - ARGV[i + 2]
  if beyond >= 0 then
    local since = ARGV[1] - redis.call('PTTL', key)
    wait = math.max(wait, math.min(1000 * 2 ^ beyond, ARGV[2]) - since)
  end
end
if wait > 0 then return math.ceil(wait) end
for _, key in ipairs(KEYS) do
  redis.call('INCR', key)
  redis.call('PEXPIRE', key, ARGV[1])
end
return 0
""")
# The first count is forgotten; this one try is taken back from the others.
_FORGIVE = Script("""
redis.call('DEL', KEYS[1])
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECR', KEYS[i]) end
end
""")

logger = logging.getLogger(__name__)


class Limits:
    """All processes' counts in Redis, and this process's own for when it is away."""

    def __init__(self, redis: "Redis") -> None:
        self._line = Line(redis)
        self._own = OwnCounts(_FREE_TRIES)
        self._silent_until = 0.0

    def draw(self, name: str, per_minute: int) -> float:
        """Zero if `name` may do it once more, which is counted, else the seconds to wait."""
        sizes = [MINUTE, MINUTE // per_minute]
        return self._ask(
            lambda: float(self._line.run(_DRAW, [channel(name)], sizes)) / 1_000_000,
            lambda: self._own.draw(name, per_minute),
        )

    def attempt(self, names: Sequence[str]) -> float:
        """Zero if a password may be tried, which is counted, else the seconds to wait."""
        bounds = [FORGOTTEN_SECONDS * 1000, LONGEST_WAIT_SECONDS * 1000, *_FREE_TRIES]
        return self._ask(
            lambda: float(self._line.run(_TRY, [channel(name) for name in names], bounds)) / 1000,
            lambda: self._own.attempt(names),
        )

    def forgive(self, names: Sequence[str]) -> None:
        """The password was right."""
        self._ask(
            lambda: self._line.run(_FORGIVE, [channel(name) for name in names]),
            lambda: self._own.forgive(names),
        )

    def _ask(self, redis: Callable[[], T], otherwise: Callable[[], T]) -> T:
        if time.monotonic() >= self._silent_until:
            try:
                return redis()
            except RedisError as error:
                self._silent_until = time.monotonic() + _PAUSE_AFTER_FAILURE
                logger.warning("clients are counted without Redis for a while: %r", error)
        return otherwise()


@cache
def counts() -> Limits:
    """The counts of this process."""
    return Limits(redis_client(_TIMEOUT_SECONDS))


def client() -> str | None:
    """Whom limits count: a user, or whoever is at an address; nobody for staff."""
    caller = callers.present()
    if caller.user is None:
        return f"address:{_network()}"
    return None if caller.is_staff else f"user:{caller.user.id}"


def client_hash() -> bytes | None:
    """What an order keeps of whom limits count."""
    who = client()
    return None if who is None else pseudonym(who)


def check_rate(what: str, per_minute: int, who: str | None) -> None:
    """Count one request of `who`, or raise `too_many_requests`; a rate of 0 is none."""
    if per_minute and who is not None:
        _refuse(counts().draw(f"limit:{what}:{_called(who)}", per_minute))


def check_tries(email: str) -> Sequence[str]:
    """Count a try of the account's password from this address, or raise `too_many_requests`.

    Returns what to `forgive` if it was right.
    """
    address = f"address:{_network()}"
    names = [f"tries:{_called(who)}" for who in (f"{email.lower()} {address}", address)]
    _refuse(counts().attempt(names))
    return names


def _refuse(seconds: float) -> None:
    if seconds > 0:
        raise Problem(
            429, "too_many_requests", headers={"Retry-After": str(max(1, math.ceil(seconds)))}
        )


def _called(who: str) -> str:
    return pseudonym(who).hex()


def _network() -> str:
    return _network_of(request.remote_addr or "")


@lru_cache(maxsize=1024)
def _network_of(address_of_client: str) -> str:
    """The address of the client; of IPv6 the network, in which one client has them all."""
    try:
        address = ip_address(address_of_client)
    except ValueError:  # a socket of the host itself, or a proxy that says "unknown"
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, 64), strict=False))
    return str(address)
