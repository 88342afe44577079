"""The peers that jobs speak to: each behind a circuit breaker of this process.

Payment providers are asked no faster than they like, by all processes together.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from models import kinds, lease
from models.session import transaction
from providers import registry
from providers.base import OutcomeUnknown, PaymentProvider, RateLimited
from providers.metrics import Counter
from tasks.breaker import Breaker
from tasks.bucket import Buckets, Draw, ThrottledError, spread
from tasks.smtp import MailServerError

T = TypeVar("T")

PROVIDER_NOUNS = frozenset({"payments", "refunds", "disputes", "reconcile", "audit"})
"""What kinds of jobs are named after that speak to payment providers."""

_AT_FULL_RATE = frozenset({"create", "reserve", "capture", "refund"})
_PATIENCE_SECONDS = 0.2
_PATIENCE_OF_LISTS_SECONDS = 2.0  # whoever reads a list starts over if it is cut short
_LONGEST_PAUSE_SECONDS = 60.0

THROTTLED = Counter(
    "orders_provider_throttled",
    "Calls to payment providers that were put off, so as not to ask too often.",
    ["provider", "call"],
)


class Provider:
    """A payment provider: behind a breaker, and asked as often as it likes."""

    def __init__(
        self, name: str, breaker: Breaker, buckets: Buckets, *, is_hurried: bool = True
    ) -> None:
        self._name, self._breaker, self._buckets = name, breaker, buckets
        self._is_hurried = is_hurried

    def unhurried(self) -> "Provider":
        """The same provider, for calls that must leave room for those that a buyer waits for."""
        return Provider(self._name, self._breaker, self._buckets, is_hurried=False)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a method of its adapter returns or raises, or `NotNowError` if nothing happened.

        Any other function is one that reads a page of a list.
        """
        call = _call(function)
        try:
            self._draw(call)
            return self._breaker.call(function, *arguments)
        except RateLimited as error:
            raise self._slow_down(call, error) from error
        except ThrottledError:
            THROTTLED.labels(self._name, call).inc()
            raise

    def _draw(self, call: str) -> None:
        patience = _PATIENCE_OF_LISTS_SECONDS if call == "list" else _PATIENCE_SECONDS
        self._buckets.draw([*self._draws(call)], f"line:{self._name}:{call}", patience)

    def _draws(self, call: str) -> Iterator[Draw]:
        """The endpoint's bucket, the account's, and that of calls that leave half to others."""
        pace = registry.get(self._name).pace
        goes_first = call == "create" and self._is_hurried
        depth = 1.0 if goes_first else 0.5
        yield Draw.of(self._bucket(call), pace.of_each_call, depth)
        yield Draw.of(self._bucket("account"), pace.in_all, depth)
        if not (self._is_hurried and call in _AT_FULL_RATE):
            yield Draw.of(self._bucket(f"{call}:half"), pace.of_each_call / 2)

    def _bucket(self, what: str) -> str:
        return f"bucket:{self._name}:{what}"

    def _slow_down(self, call: str, error: RateLimited) -> ThrottledError:
        told = error.retry_after or random.uniform(1, 2)  # noqa: S311 - spreads load only
        pause = min(told, _LONGEST_PAUSE_SECONDS)
        self._buckets.empty(next(self._draws(call)), pause)
        return ThrottledError(str(error), spread(pause))


@cache
def provider(name: str) -> Provider:
    """A payment provider."""
    breaker = Breaker(name, (OutcomeUnknown,), lambda: _pull_forward(PROVIDER_NOUNS))
    return Provider(name, breaker, Buckets())


@cache
def mail_server() -> Breaker:
    """The mail server."""
    nouns = frozenset({"notifications"})
    return Breaker("the mail server", (MailServerError,), lambda: _pull_forward(nouns))


def _call(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "")
    return name if hasattr(PaymentProvider, name) else "list"


def _pull_forward(nouns: frozenset[str]) -> None:
    with transaction() as session:
        lease.pull_forward(
            session, [name for name in kinds.KINDS if name.partition(".")[0] in nouns]
        )
