"""The job ledger as people use it: they look, have a job tried again, or call it off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import job, journal, kinds
from models.job import Job, JobAttempt
from models.session import Rung, now, ring_after_commit, true_now

ACTS: journal.StateTable = {
    "dead": frozenset({"ready", "cancelled"}),
    "cancelled": frozenset({"ready"}),
    "ready": frozenset({"cancelled"}),
}
"""What a person may do with a job; what a worker holds is not for people."""
STATES = ("ready", "leased", "done", "dead", "cancelled")
_WAITING = ("ready", "leased")


class NotRetryableError(Exception):
    """The job is not dead or cancelled, or nothing is left of it to be tried."""


class NotCancellableError(Exception):
    """A worker holds the job, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to look for; None asks nothing."""

    state: str | None = None
    kind: str | None = None
    queue: str | None = None
    order_id: int | None = None
    older_than: timedelta | None = None
    """Staged at least so long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    queue: str
    ready: int = 0
    due: int = 0
    leased: int = 0
    dead: int = 0
    oldest_due_seconds: float = 0.0
    """How long the job has been due that waits longest; 0 if none is."""


def find(
    session: Session, wanted: Filter, *, limit: int, after: int | None = None
) -> Sequence[Job]:
    """The jobs that fit, newest first; `after` is the id of the last one seen before."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    for name in ("state", "kind", "queue", "order_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(Job, name) == value)
    if wanted.older_than is not None:
        query = query.where(Job.created_at <= now() - wanted.older_than)
    if after is not None:
        query = query.where(Job.id < after)
    return session.scalars(query).all()


def attempts(session: Session, job_id: int) -> Sequence[JobAttempt]:
    """How the tries of a job ended, first to last; those that died with their worker are not here.

    Those of a job that was pruned are gone.
    """
    return session.scalars(
        select(JobAttempt).where(JobAttempt.job_id == job_id).order_by(JobAttempt.attempt)
    ).all()


def ask(
    session: Session, kind: str, *, key: str, order_id: int, **arguments: Any
) -> tuple[Job, bool]:
    """Have a job done unless one of this key waits already; it, and whether it is new.

    Once that has ended, however it did, the next one is another: a slip can be mended. The
    caller holds the lock under which only one can ask.
    """
    earlier = session.scalars(
        select(Job)
        .where(Job.order_id == order_id, Job.kind == kind)
        .where(Job.dedupe_key.startswith(f"{key}:", autoescape=True))
        .order_by(Job.id)
    ).all()
    for row in earlier:
        if row.state in _WAITING:
            return row, False
    key = f"{key}:{len(earlier)}"
    job.stage(session, kind, key=key, order_id=order_id, **arguments)
    return session.scalars(select(Job).where(Job.dedupe_key == key)).one(), True


def retry(session: Session, job_id: int, *, who: str, why: str) -> Job:
    """Have a dead or cancelled job tried anew, as often as its kind allows, beginning now.

    Raises NoResultFound or `NotRetryableError`.
    """
    row = _find(session, job_id)
    tries = _tries_of(row)
    if not journal.move(
        session,
        row,
        _only("ready"),
        "ready",
        who=who,
        why=why,
        run_at=now(),
        rung_at=true_now(),
        finished_at=None,
        max_attempts=Job.attempts + tries,  # the tries that were keep their numbers
    ):
        raise NotRetryableError(f"it is {row.state}")
    ring_after_commit(session, Rung(row.id, row.kind))
    return row


def cancel(session: Session, job_id: int, *, who: str, why: str) -> Job:
    """Call off a job that waits or is dead. Raises NoResultFound or `NotCancellableError`."""
    row = _find(session, job_id)
    if not journal.move(
        session, row, _only("cancelled"), "cancelled", who=who, why=why, finished_at=now()
    ):
        raise NotCancellableError(f"it is {row.state}")
    return row


def stats(session: Session) -> list[QueueFigures]:
    """What waits, runs and is dead in each queue, by the partial indexes."""
    waiting = {figures.queue: figures for figures in _waiting(session)}
    leased, dead = _count(session, "leased"), _count(session, "dead")
    return [
        replace(
            waiting.get(queue, QueueFigures(queue=queue)),
            leased=leased.get(queue, 0),
            dead=dead.get(queue, 0),
        )
        for queue in sorted({*kinds.QUEUES.values(), *waiting, *leased, *dead})
    ]


def _find(session: Session, job_id: int) -> Job:
    return session.scalars(
        select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    ).one()


def _only(to: str) -> journal.StateTable:
    return {was: targets & {to} for was, targets in ACTS.items()}


def _tries_of(row: Job) -> int:
    """How many tries its kind allows, if what it took is still there."""
    try:
        kind = kinds.get(row.kind)
        kind.signature.bind(**row.payload)
    except kinds.UnknownKindError:
        raise NotRetryableError("nothing here knows its kind") from None
    except TypeError:
        raise NotRetryableError("its arguments have been pruned") from None
    return kind.retry.attempts


def _waiting(session: Session) -> Iterator[QueueFigures]:
    rows = session.execute(
        select(
            Job.queue,
            func.count().label("ready"),
            func.count().filter(Job.run_at <= now()).label("due"),
            func.extract("epoch", now() - func.min(Job.run_at)).label("age"),
        )
        .where(Job.state == "ready")
        .group_by(Job.queue)
    )
    for row in rows:
        age = max(0.0, float(row.age))  # below zero if even the oldest is not due yet
        yield QueueFigures(queue=row.queue, ready=row.ready, due=row.due, oldest_due_seconds=age)


def _count(session: Session, state: str) -> dict[str, int]:
    counted = (
        select(Job.queue, func.count().label("number"))
        .where(Job.state == state)
        .group_by(Job.queue)
    )
    return {row.queue: row.number for row in session.execute(counted)}
