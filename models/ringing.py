"""Which jobs to ring for: the relay's and the drain's view of the ledger."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

import settings
from models.job import Job
from models.session import Rung, now, true_now

_SHORTEST_PAUSE_SECONDS = 2
_LONGEST_PAUSE_SECONDS = 30


def due(session: Session, limit: int = 200) -> Sequence[Rung]:
    """Ready jobs that are due and have not been rung for lately; they are rung for now.

    A job whose time has come since is rung for at once. Then the pause between two rings doubles,
    from 2 s to 30 s, so that a backlog is not deafened; it is never longer than that between two
    tries.
    """
    longest = min(_LONGEST_PAUSE_SECONDS, settings.current().job_backoff_cap_seconds)
    pause = func.least(
        func.greatest(Job.rung_at - Job.run_at, timedelta(seconds=_SHORTEST_PAUSE_SECONDS)),
        timedelta(seconds=longest),
    )
    waiting = (
        select(Job.id)
        .where(Job.state == "ready", Job.run_at <= now())
        .where(or_(Job.rung_at < Job.run_at, Job.rung_at < true_now() - pause))
        .order_by(Job.run_at, Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(waiting))
        .values(rung_at=true_now())
        .returning(Job.id, Job.kind)
        .execution_options(synchronize_session=False)
    )
    return [Rung(job_id, kind) for job_id, kind in rows]


def ready_ids(session: Session, names: Iterable[str], limit: int = 50) -> Sequence[int]:
    """The next due jobs of these kinds, for draining the ledger without a broker."""
    return session.scalars(
        select(Job.id)
        .where(Job.state == "ready", Job.run_at <= now(), Job.kind.in_(list(names)))
        .order_by(Job.run_at, Job.id)
        .limit(limit)
    ).all()
