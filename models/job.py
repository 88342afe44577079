"""The job ledger: a job is a row, staged with the fact that makes it necessary.

A message on the broker is only a doorbell. What is done, by whom, how often and when again
is decided here, by guarded statements on one row.
"""

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

import settings
from models import kinds
from models.base import Base, BigId, Json
from models.session import Rung, now, ring_after_commit, true_now

logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """The job is no longer this worker's: whatever it wanted to record must not be."""


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("state IN ('ready', 'leased', 'done', 'dead', 'cancelled')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_token IS NOT NULL)", name="lease"),
        Index("ix_job_ready", "run_at", "id", postgresql_where=text("state = 'ready'")),
        Index("ix_job_leased", "lease_until", postgresql_where=text("state = 'leased'")),
        Index("ix_job_dead", "id", postgresql_where=text("state = 'dead'")),
        Index(None, "order_id"),
    )

    id: Mapped[BigId]
    kind: Mapped[str]
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    payload: Mapped[Json]
    queue: Mapped[str]
    state: Mapped[str] = mapped_column(default="ready")
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    rung_at: Mapped[datetime]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now())
    finished_at: Mapped[datetime | None]


class JobAttempt(Base):
    """Append-only: how each try ended. A crashed try ends nowhere and has no row."""

    __tablename__ = "job_attempt"
    __table_args__ = (UniqueConstraint("job_id", "attempt"),)

    id: Mapped[BigId]
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    attempt: Mapped[int]
    lease_token: Mapped[uuid.UUID] = mapped_column(Uuid)
    outcome: Mapped[str]
    error: Mapped[str | None]
    ended_at: Mapped[datetime] = mapped_column(default=now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claimed try: the right, until it expires or is taken, to do the job and record it."""

    job_id: int
    kind: str
    token: uuid.UUID
    attempt: int
    max_attempts: int
    payload: Json
    order_id: int | None
    waited: timedelta
    """How long the job had been due."""
    claimed_at: float
    """By this process's monotonic clock, taken before the claim: the lease ends no sooner."""

    @property
    def is_exhausted(self) -> bool:
        """Whether earlier tries, which may have died without a word, used up all there were."""
        return self.attempt > self.max_attempts


def stage(
    session: Session,
    kind: str,
    *,
    key: str,
    order_id: int | None = None,
    after: timedelta = timedelta(0),
    **arguments: Any,
) -> None:
    """Have the job done once, after this transaction commits; a known `key` changes nothing.

    Raises `UnknownKindError`, or TypeError if the arguments do not fit the task.
    """
    known = kinds.get(kind)
    known.signature.bind(**arguments)
    job_id = session.scalar(
        insert(Job)
        .values(
            kind=kind,
            dedupe_key=key,
            order_id=order_id,
            payload=arguments,
            queue=known.queue,
            run_at=now() + after,
            max_attempts=known.retry.attempts,
            rung_at=true_now(),
        )
        .on_conflict_do_nothing(index_elements=[Job.dedupe_key])
        .returning(Job.id)
    )
    if job_id is None:
        return
    logger.info("staged", extra={"staged_job_id": job_id, "staged_kind": kind})
    if not after:
        ring_after_commit(session, Rung(job_id, kind))


def claim(session: Session, job_id: int, owner: str) -> Lease | None:
    """Take the job if it is ready, due and of a kind that this process knows.

    The attempt is counted before the work begins.
    """
    lease = timedelta(seconds=settings.current().job_lease_seconds)
    claimed_at = time.monotonic()
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == "ready", Job.run_at <= now())
        .where(Job.kind.in_(kinds.KINDS))
        .values(
            state="leased",
            lease_token=uuid.uuid4(),
            lease_until=true_now() + lease,
            lease_owner=owner,
            attempts=Job.attempts + 1,
        )
        .returning(
            Job.id,
            Job.kind,
            Job.lease_token,
            Job.attempts,
            Job.max_attempts,
            Job.payload,
            Job.order_id,
            (now() - Job.run_at).label("waited"),
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None or row.lease_token is None:
        return None
    return Lease(
        job_id=row.id,
        kind=row.kind,
        token=row.lease_token,
        attempt=row.attempts,
        max_attempts=row.max_attempts,
        payload=row.payload,
        order_id=row.order_id,
        waited=row.waited,
        claimed_at=claimed_at,
    )


def end(session: Session, lease: Lease, state: str, outcome: str, error: str | None = None) -> None:
    """Close the job as `done` or `dead`; raises `LeaseLostError` if it is no longer ours."""
    _leave(session, lease, error, state=state, finished_at=now())
    _note_attempt(session, lease, outcome, error)


def put_back(session: Session, lease: Lease, error: str, delay: timedelta) -> None:
    """Make the job ready again after `delay`; raises `LeaseLostError` if it is no longer ours."""
    _leave(session, lease, error, state="ready", run_at=now() + delay)
    _note_attempt(session, lease, "retry", error)


def hand_back(session: Session, lease: Lease, why: str, delay: timedelta) -> None:
    """Make the job ready again as if it had not been tried; raises `LeaseLostError`."""
    _leave(session, lease, why, state="ready", run_at=now() + delay, attempts=Job.attempts - 1)


def _leave(session: Session, lease: Lease, error: str | None, **values: Any) -> None:
    job_id = session.scalar(
        update(Job)
        .where(Job.id == lease.job_id, Job.state == "leased", Job.lease_token == lease.token)
        .values(
            lease_token=None,
            lease_until=None,
            rung_at=true_now(),
            last_error=error if error is not None else Job.last_error,
            **values,
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if job_id is None:
        raise LeaseLostError(lease.job_id)


def _note_attempt(session: Session, lease: Lease, outcome: str, error: str | None) -> None:
    session.add(
        JobAttempt(
            job_id=lease.job_id,
            attempt=lease.attempt,
            lease_token=lease.token,
            outcome=outcome,
            error=error,
        )
    )


def due(session: Session, limit: int = 200) -> Sequence[Rung]:
    """Ready jobs that are due and have not been rung for lately; they are rung for now.

    The pause between two rings doubles, from 2 s to 30 s, so that a backlog is not deafened.
    """
    pause = func.least(
        func.greatest(Job.rung_at - Job.run_at, timedelta(seconds=2)), timedelta(seconds=30)
    )
    waiting = (
        select(Job.id)
        .where(Job.state == "ready", Job.run_at <= now(), Job.rung_at < true_now() - pause)
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


def ready_ids(session: Session, names: Iterable[str], limit: int = 50) -> Sequence[int]:
    """The next due jobs of these kinds, for draining the ledger without a broker."""
    return session.scalars(
        select(Job.id)
        .where(Job.state == "ready", Job.run_at <= now(), Job.kind.in_(list(names)))
        .order_by(Job.run_at, Job.id)
        .limit(limit)
    ).all()
