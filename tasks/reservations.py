"""Reservations: orders that were not paid in time are closed and their stock is freed."""

import logging
import time
from collections.abc import Iterator

import settings
from models import closing, expiring, orders
from models.kinds import Retry
from models.session import transaction
from tasks.base import Work, job

logger = logging.getLogger(__name__)

_BATCH = 100
_LEAST = 10
_LONGEST_SECONDS = 0.25  # buyers of a hot item wait for a batch that locks it
_SHARE_OF_LEASE = 1 / 3
_REST = 1  # times as long as a full batch took: meanwhile new orders have the machine


@job("reservations.sweep", retry=Retry(attempts=3))
def sweep(work: Work) -> None:
    """Begin to close every overdue order, until none is left or time is up.

    What is left, or cannot be closed, is tried again at the next slot, and the auditor tells of it.
    """
    chosen = settings.current()
    share = chosen.job_lease_seconds * _SHARE_OF_LEASE
    deadline = time.monotonic() + min(share, chosen.sweep_period_seconds)
    for _ in close_overdue():
        if time.monotonic() > deadline:
            break
    with work.finish():
        pass


def close_overdue() -> Iterator[int]:
    """Begin to close every overdue order, some at a time; yields how many each time.

    No two sweeps count the same order. Those without a payment end in batches; each of the others
    has a transaction of its own.
    """
    most, began = _BATCH, time.monotonic()
    while ended := _expire_unpaid(most):
        yield ended
        took = time.monotonic() - began
        if ended == most:
            time.sleep(_REST * took)
        most = _next_batch(most, took)
        began = time.monotonic()
    failed: list[int] = []
    while batch := _overdue(past=failed):
        done = {order_id: _expire(order_id) for order_id in batch}
        failed += [order_id for order_id, is_done in done.items() if is_done is None]
        yield sum(map(bool, done.values()))


def _next_batch(size: int, took: float) -> int:
    """How many to lock at once: fewer if these took long, as on a busy machine, else more."""
    return max(size // 2, _LEAST) if took > _LONGEST_SECONDS else min(size * 2, _BATCH)


def _expire_unpaid(most: int) -> int:
    try:
        with transaction() as session:
            return expiring.expire_unpaid(session, most)
    except Exception:
        logger.exception("a batch of orders could not be closed; each is tried by itself")
        return 0


def _overdue(past: list[int]) -> list[int]:
    with transaction() as session:
        return list(orders.overdue(session, _BATCH, besides=past))


def _expire(order_id: int) -> bool | None:
    """Whether we dealt with it, and not another sweep; None if it could not be done."""
    try:
        with transaction() as session:
            return closing.expire(session, order_id)
    except Exception:
        logger.exception("order %s could not be closed", order_id)
        return None
