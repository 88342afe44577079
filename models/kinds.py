"""The kinds of jobs: what each takes, where it is done, and how its failures are repeated."""

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import settings

QUEUES = {
    "payments": "payments",
    "refunds": "payments",
    "disputes": "payments",
    "webhooks": "webhooks",
    "notifications": "mail",
    "reservations": "sweeps",
    "audit": "sweeps",
    "janitor": "sweeps",
    "reconcile": "sweeps",
    "maintenance": "sweeps",
}
"""From the prefix of a job's kind to the queue whose workers do it."""


class UnknownKindError(LookupError):
    """No task of this process bears that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed try is repeated: exponential back-off from `base` seconds with full jitter."""

    attempts: int = 12
    base: float = 1.0
    permanent: tuple[type[Exception], ...] = ()
    """Errors that no repetition can mend: they end the job at once."""

    def delay(self, attempt: int) -> timedelta:
        """How long to wait after try number `attempt` (from 1)."""
        ceiling = min(
            settings.current().job_backoff_cap_seconds, self.base * 2 ** min(attempt - 1, 60)
        )
        return timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311 - spreads load only


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of job, as its `@job` declares it."""

    name: str
    function: Callable[..., None]
    """Called as `(work, **arguments)` by a worker."""
    signature: inspect.Signature
    retry: Retry
    exhausted: Callable[..., None] | None
    """Called as `(session, error, **arguments)` in the transaction that ends the job dead."""

    @property
    def queue(self) -> str:
        return QUEUES[self.name.partition(".")[0]]


KINDS: dict[str, Kind] = {}
"""Every kind of job, by name; filled by `@job` when `tasks` is imported."""


def get(name: str) -> Kind:
    """The kind of this name, or `UnknownKindError`."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKindError(name) from None
