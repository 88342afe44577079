"""Figures for Prometheus: where a process keeps its own, and those of the calls to providers.

Counters and histograms are made from the classes here: with `METRICS_DIRECTORY` set they live in
files of that directory, one set for each process, and `tasks.exporter` adds them up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import settings
from providers.base import Declined, OutcomeUnknown, RateLimited, Rejected

_directory = settings.current().metrics_directory
if _directory:
    Path(_directory).mkdir(parents=True, exist_ok=True)

from prometheus_client import Counter, Histogram  # noqa: E402 - looks for its directory at once

__all__ = ["Counter", "Histogram", "measured"]

_OUTCOMES = {
    RateLimited: "rate_limited",
    OutcomeUnknown: "unknown",
    Declined: "declined",
    Rejected: "rejected",
}

CALLS = Counter(
    "orders_provider_calls",
    "Calls to payment providers, by what came of them.",
    ["provider", "call", "outcome"],
)
CALL_SECONDS = Histogram(
    "orders_provider_call_seconds",
    "How long a payment provider took to answer.",
    ["provider", "call"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


@contextmanager
def measured(provider: str, call: str) -> Iterator[None]:
    """Count and time the block as one call to a provider."""
    began = time.monotonic()
    outcome = "ok"
    try:
        yield
    except Exception as error:
        outcome = next((word for kind, word in _OUTCOMES.items() if isinstance(error, kind)), "bug")
        raise
    finally:
        CALLS.labels(provider, call, outcome).inc()
        CALL_SECONDS.labels(provider, call).observe(time.monotonic() - began)
