"""Reservations: orders that were not paid in time are closed and their stock is freed."""

import logging

from models import closing, orders
from models.kinds import Retry
from models.session import transaction
from tasks.base import Work, job

logger = logging.getLogger(__name__)

_BATCH = 200


@job("reservations.sweep", retry=Retry(attempts=3))
def sweep(work: Work) -> None:
    """Begin to close every overdue order, each in a transaction of its own.

    One that cannot be closed is tried again at the next slot, and the auditor tells of it.
    """
    failed: list[int] = []
    while batch := _overdue(past=failed):
        work.renew()
        failed += [order_id for order_id in batch if not _expire(order_id)]
    with work.finish():
        pass


def _overdue(past: list[int]) -> list[int]:
    with transaction() as session:
        return list(orders.overdue(session, _BATCH, besides=past))


def _expire(order_id: int) -> bool:
    try:
        with transaction() as session:
            closing.expire(session, order_id)
    except Exception:
        logger.exception("order %s could not be closed", order_id)
        return False
    return True
