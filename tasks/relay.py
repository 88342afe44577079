"""Relay, reaper and clockwork: what `celery beat` does here, with PostgreSQL alone.

Any number of beats may run: a slot of a periodic entry is staged by whichever comes first, due
jobs and expired leases are shared out by SKIP LOCKED.
"""

import logging
from datetime import timedelta
from typing import Any

from celery.beat import Scheduler

import settings
import tasks
from models import lease, periodic, ringing
from models.session import transaction
from providers.metrics import Counter

EXPIRIES = Counter("orders_lease_expiries", "Jobs taken back from workers that fell silent.")

logger = logging.getLogger(__name__)


class LedgerScheduler(Scheduler):  # type: ignore[misc]
    """For `celery -A tasks beat -S tasks.relay:LedgerScheduler`."""

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)

    def tick(self, *_args: Any, **_options: Any) -> float:
        """One round; the seconds until the next. A database that is away is waited for."""
        try:
            self._round()
        except Exception:
            logger.exception("this round of the relay failed")
        return settings.current().relay_period_seconds

    def _round(self) -> None:
        with tasks.database_app.app_context():
            for name, entry in self.schedule.items():
                stage_slot(name, entry.task, entry.schedule.run_every)
            reap()
            ring_due()


def stage_slot(name: str, kind: str, period: timedelta) -> bool:
    """Stage the present slot of a periodic entry, once for all beats."""
    with transaction() as session:
        return periodic.stage(session, name, kind, period)


def reap() -> int:
    """Free the jobs of workers that died or froze; how many."""
    with transaction() as session:
        freed = lease.reap(session)
    if freed:
        EXPIRIES.inc(freed)
        logger.warning("freed %s expired leases", freed)
    return freed


def ring_due() -> int:
    """Ring again for jobs that are due and were not heard; how many."""
    if tasks.doorbell.is_silent:
        return 0
    with transaction() as session:
        due = ringing.due(session)
    if due:
        tasks.doorbell(due, [])
    return len(due)
