"""Leases beyond the ordinary: renewed for long work, freed when their worker is known dead."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

import settings
from models.job import Job, Lease, LeaseLostError
from models.session import Rung, now, ring_after_commit, true_now


def renew(session: Session, lease: Lease) -> None:
    """Begin the lease anew; raises `LeaseLostError` if it is no longer ours."""
    seconds = settings.current().job_lease_seconds
    renewed = session.scalar(
        update(Job)
        .where(Job.id == lease.job_id, Job.state == "leased", Job.lease_token == lease.token)
        .values(lease_until=true_now() + timedelta(seconds=seconds))
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if renewed is None:
        raise LeaseLostError(lease.job_id)


def reap(session: Session, limit: int = 200) -> int:
    """Make ready again what dead or frozen workers hold beyond their lease; how many."""
    expired = (
        select(Job.id)
        .where(Job.state == "leased", Job.lease_until < true_now())
        .order_by(Job.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    freed = session.scalars(
        update(Job)
        .where(Job.id.in_(expired))
        .values(
            state="ready",
            lease_token=None,
            lease_until=None,
            last_error=func.concat("lease of ", Job.lease_owner, " expired"),
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(freed.all())


def free(session: Session, is_dead: Callable[[str], bool], host: str) -> int:
    """Make ready again what this host's dead workers hold, and ring for it; how many jobs.

    `is_dead` judges a lease's owner, which begins with `host` and a colon.
    """
    held = session.execute(
        select(Job.id, Job.kind, Job.lease_owner).where(
            Job.state == "leased", Job.lease_owner.startswith(f"{host}:", autoescape=True)
        )
    )
    orphans = [(job_id, kind, owner) for job_id, kind, owner in held if owner and is_dead(owner)]
    return sum(_free_one(session, *orphan) for orphan in orphans)


def _free_one(session: Session, job_id: int, kind: str, owner: str) -> bool:
    freed = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state == "leased", Job.lease_owner == owner)
        .values(
            state="ready",
            lease_token=None,
            lease_until=None,
            rung_at=true_now(),
            last_error=f"worker {owner} died",
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if freed is not None:
        ring_after_commit(session, Rung(job_id, kind))
    return freed is not None


def pull_forward(session: Session, names: Iterable[str], limit: int = 500) -> int:
    """Make tried jobs of these kinds that wait for a later time due now; how many."""
    waiting = (
        select(Job.id)
        .where(
            Job.state == "ready",
            Job.run_at > now(),
            Job.attempts > 0,
            Job.kind.in_(list(names)),
        )
        .order_by(Job.run_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    pulled = session.execute(
        update(Job)
        .where(Job.id.in_(waiting))
        .values(run_at=now(), rung_at=true_now())
        .returning(Job.id, Job.kind)
        .execution_options(synchronize_session=False)
    ).all()
    for job_id, kind in pulled:
        ring_after_commit(session, Rung(job_id, kind))
    return len(pulled)
