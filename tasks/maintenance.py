"""Maintenance: what has been kept long enough goes, in small batches; days over are counted."""

import time

import settings
from models import days
from models.kinds import Retry
from models.retention import PRUNERS, Pruner
from models.session import transaction
from tasks.base import Work, job

_BATCH = 500
_SHARE_OF_LEASE = 1 / 6


@job("maintenance.prune", retry=Retry(attempts=3))
def prune(work: Work) -> None:
    """Prune every table in turn until nothing is left or time is up; the next slot goes on."""
    deadline = time.monotonic() + settings.current().job_lease_seconds * _SHARE_OF_LEASE
    waiting = list(PRUNERS)
    while waiting and time.monotonic() < deadline:
        waiting = [pruner for pruner in waiting if _prune(pruner) == _BATCH]
    with work.finish():
        pass


def _prune(pruner: Pruner) -> int:
    with transaction() as session:
        return pruner(session, _BATCH)


@job("maintenance.count_days", retry=Retry(attempts=3))
def count_days(work: Work) -> None:
    """Keep what the days that are over came to, for the overview."""
    with work.finish() as session:
        days.keep(session)
