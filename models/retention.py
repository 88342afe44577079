"""What is kept for how long: each verb prunes one batch, by an index, and says how many rows.

Rows of `job` and `webhook_event` are never deleted: their keys are what makes a repetition
change nothing. They lose what they carry.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Index, delete, select, text, update
from sqlalchemy.orm import Session

import settings
from models.audit.finding import Finding
from models.idempotency import IdempotencyKey
from models.job import Job, JobAttempt
from models.journal import JournalEntry
from models.periodic import PeriodicRun
from models.session import now
from models.webhook_event import WebhookEvent

Pruner = Callable[[Session, int], int]

# What is still to be pruned, and leaves its index by being pruned.
_JOBS = text("state IN ('done', 'cancelled') AND (lease_owner IS NOT NULL OR payload <> '{}')")
_EVENTS = text("state IN ('applied', 'ignored') AND body <> '{}'")

Index("ix_job_prunable", Job.finished_at, postgresql_where=_JOBS)
Index("ix_webhook_event_prunable", WebhookEvent.received_at, postgresql_where=_EVENTS)


def prune_jobs(session: Session, size: int) -> int:
    """Take payload, owner and tries from jobs that ended long ago."""
    kept = timedelta(days=settings.current().keep_jobs_days)
    old = session.scalars(
        select(Job.id)
        .where(_JOBS, Job.finished_at < now() - kept)
        .order_by(Job.finished_at)
        .limit(size)
        .with_for_update(skip_locked=True)
    ).all()
    session.execute(delete(JobAttempt).where(JobAttempt.job_id.in_(old)))
    session.execute(
        update(Job)
        .where(Job.id.in_(old))
        .values(payload={}, lease_owner=None)
        .execution_options(synchronize_session=False)
    )
    return len(old)


def prune_event_bodies(session: Session, size: int) -> int:
    """Empty the bodies of events of which all has been made that ever will be."""
    kept = timedelta(days=settings.current().keep_event_bodies_days)
    old = (
        select(WebhookEvent.id)
        .where(_EVENTS, WebhookEvent.received_at < now() - kept)
        .order_by(WebhookEvent.received_at)
        .limit(size)
        .with_for_update(skip_locked=True)
    )
    emptied = session.scalars(
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(old))
        .values(body={})
        .returning(WebhookEvent.id)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())


def prune_idempotency_keys(session: Session, size: int) -> int:
    """Delete the keys of requests that nobody repeats any more."""
    kept = timedelta(hours=settings.current().keep_idempotency_keys_hours)
    old = select(IdempotencyKey.id).where(IdempotencyKey.created_at < now() - kept)
    batch = old.order_by(IdempotencyKey.created_at).limit(size)
    return _delete(session, IdempotencyKey, IdempotencyKey.id.in_(batch))


def prune_findings(session: Session, size: int) -> int:
    """Delete findings that were closed long ago."""
    kept = timedelta(days=settings.current().keep_jobs_days)
    old = select(Finding.id).where(Finding.closed_at < now() - kept)
    batch = old.order_by(Finding.closed_at).limit(size)
    return _delete(session, Finding, Finding.id.in_(batch))


def prune_periodic_runs(session: Session, size: int) -> int:
    """Delete the slots of days gone by; ids grow with time, so the oldest are looked at alone."""
    kept = timedelta(days=settings.current().keep_periodic_runs_days)
    oldest = select(PeriodicRun.id).order_by(PeriodicRun.id).limit(size)
    return _delete(session, PeriodicRun, PeriodicRun.id.in_(oldest), PeriodicRun.at < now() - kept)


def prune_journal(session: Session, size: int) -> int:
    """Delete the oldest entries of the journal, unless it is kept for ever."""
    days = settings.current().keep_journal_days
    if not days:
        return 0
    oldest = select(JournalEntry.id).order_by(JournalEntry.id).limit(size)
    kept = timedelta(days=days)
    return _delete(
        session, JournalEntry, JournalEntry.id.in_(oldest), JournalEntry.at < now() - kept
    )


def _delete(session: Session, table: Any, *conditions: ColumnElement[bool]) -> int:
    gone = session.scalars(
        delete(table)
        .where(*conditions)
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


PRUNERS: tuple[Pruner, ...] = (
    prune_jobs,
    prune_event_bodies,
    prune_idempotency_keys,
    prune_findings,
    prune_periodic_runs,
    prune_journal,
)
