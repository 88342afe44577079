"""What is told of every try of a job: ids in all of its log lines, one line at its end, figures."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from models.job import Lease
from providers.metrics import Counter, Histogram

_IDS = ("order_id", "payment_id")

TRIES = Counter("orders_job_tries", "Tries of jobs, by how they ended.", ["kind", "outcome"])
TRY_SECONDS = Histogram(
    "orders_job_seconds",
    "How long a try took, from its claim to its record.",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
WAIT_SECONDS = Histogram(
    "orders_job_wait_seconds",
    "How long a job had been due when it was claimed.",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)

logger = logging.getLogger(__name__)


@contextmanager
def on(lease: Lease, outcome: Callable[[], str | None]) -> Iterator[None]:
    """Tell of the try that the block is; `outcome` is None if nothing of it could be recorded."""
    WAIT_SECONDS.labels(lease.kind).observe(lease.waited.total_seconds())
    with _bound_to(lease):
        try:
            yield
        finally:
            _tell(lease, outcome() or "lost")


@contextmanager
def _bound_to(lease: Lease) -> Iterator[None]:
    """Whatever was bound outside comes back, and nothing that the job binds stays."""
    outside = get_contextvars()
    clear_contextvars()
    ids = {"order_id": lease.order_id, **lease.payload}
    bind_contextvars(
        job_id=lease.job_id,
        kind=lease.kind,
        attempt=lease.attempt,
        **{name: ids[name] for name in _IDS if ids.get(name) is not None},
    )
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**outside)


def _tell(lease: Lease, outcome: str) -> None:
    seconds = time.monotonic() - lease.claimed_at
    TRIES.labels(lease.kind, outcome).inc()
    TRY_SECONDS.labels(lease.kind).observe(seconds)
    logger.info("try ended", extra={"outcome": outcome, "duration_ms": round(seconds * 1000, 1)})
