"""The job ledger: a job is a row, staged with the fact that makes it necessary.

A message on the broker is only a doorbell. What is done, by whom, how often and when again
is decided here, by guarded statements on one row.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, Session, mapped_column

import settings
from models import kinds, room
from models.base import Base, BigId, Json
from models.leaving import leaving
from models.session import Rung, now, ring_after_commit, true_now
from models.statement import Statement

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
        Index("ix_job_cancelled", "id", postgresql_where=text("state = 'cancelled'")),
        Index(None, "kind", "id"),
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


room.leave(Job, 20)  # each is claimed and ended soon after it came


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

    @property
    def done(self) -> dict[str, Any]:
        """The parameters of a statement that ends the job done."""
        return self.left("done")

    def left(self, outcome: str | None, error: str | None = None) -> dict[str, Any]:
        """The parameters of a statement that gives the lease back."""
        own = {"job_id": self.job_id, "token": self.token, "attempt": self.attempt}
        return {**own, "outcome": outcome, "error": error}


# The statements of a job's life are the most frequent of all. Only the clock is interpolated,
# never a value.
_STAGE = Statement(f"""
INSERT INTO job (kind, dedupe_key, order_id, payload, queue, state, run_at, attempts,
                 max_attempts, rung_at, created_at)
VALUES (%(kind)s, %(key)s, %(order_id)s, %(payload)s, %(queue)s, 'ready',
        {now()} + CAST(%(after)s AS interval), 0, %(max_attempts)s, {true_now()}, {now()})
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING id
""")  # noqa: S608

_STAGE_ALL = Statement(f"""
WITH staged AS (
    INSERT INTO job (kind, dedupe_key, order_id, payload, queue, state, run_at, attempts,
                     max_attempts, rung_at, created_at)
    SELECT %(kind)s, dedupe_key, order_id, payload, %(queue)s, 'ready', {now()}, 0,
           %(max_attempts)s, {true_now()}, {now()}
    FROM unnest(CAST(%(keys)s AS text[]), CAST(%(order_ids)s AS bigint[]),
                CAST(%(payloads)s AS jsonb[])) AS new (dedupe_key, order_id, payload)
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
)
SELECT coalesce(array_agg(id ORDER BY id), '{{}}') FROM staged
""")  # noqa: S608

_CLAIM = Statement(f"""
UPDATE job SET state = 'leased', lease_token = %(token)s,
               lease_until = {true_now()} + CAST(%(lease)s AS interval),
               lease_owner = %(owner)s, attempts = attempts + 1
WHERE id = %(job_id)s AND state = 'ready' AND run_at <= {now()} AND kind = ANY (%(kinds)s)
RETURNING kind, attempts, max_attempts, payload, order_id, {now()} - run_at
""")  # noqa: S608


def _leaving(*changes: str) -> Statement:
    return Statement(f"WITH {leaving(*changes)} SELECT id FROM given_back")  # noqa: S608


_END = _leaving("state = %(state)s", f"finished_at = {now()}")
_PUT_BACK = _leaving("state = 'ready'", f"run_at = {now()} + CAST(%(delay)s AS interval)")
_HAND_BACK = _leaving(
    "state = 'ready'", f"run_at = {now()} + CAST(%(delay)s AS interval)", "attempts = attempts - 1"
)


class New(NamedTuple):
    """A job to be staged among others of its kind."""

    key: str
    order_id: int
    arguments: Json


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
    staged = _STAGE.row(
        session,
        {
            "kind": kind,
            "key": key,
            "order_id": order_id,
            "payload": Jsonb(arguments),
            "queue": known.queue,
            "after": after,
            "max_attempts": known.retry.attempts,
        },
    )
    if staged is not None:
        was_staged(session, kind, *staged, order_id=order_id, is_due=not after)


def stage_all(session: Session, kind: str, jobs: Sequence[New]) -> None:
    """Have all of these jobs done, as `stage` does one, in one statement."""
    known = kinds.get(kind)
    for new in jobs:
        known.signature.bind(**new.arguments)
    staged = _STAGE_ALL.row(
        session,
        {
            "kind": kind,
            "keys": [new.key for new in jobs],
            "order_ids": [new.order_id for new in jobs],
            "payloads": [Jsonb(new.arguments) for new in jobs],
            "queue": known.queue,
            "max_attempts": known.retry.attempts,
        },
    )
    for job_id in staged[0] if staged else ():
        was_staged(session, kind, job_id)


def was_staged(
    session: Session, kind: str, job_id: int, *, order_id: int | None = None, is_due: bool = True
) -> None:
    """Say so, and ring for it once it is committed."""
    told = {"staged_job_id": job_id, "staged_kind": kind}
    logger.info("staged", extra=told if order_id is None else {**told, "order_id": order_id})
    if is_due:
        ring_after_commit(session, Rung(job_id, kind))


def claim(session: Session, job_id: int, owner: str) -> Lease | None:
    """Take the job if it is ready, due and of a kind that this process knows.

    The attempt is counted before the work begins.
    """
    claimed_at, token = time.monotonic(), uuid.uuid4()
    row = _CLAIM.row(
        session,
        {
            "job_id": job_id,
            "token": token,
            "lease": timedelta(seconds=settings.current().job_lease_seconds),
            "owner": owner,
            "kinds": list(kinds.KINDS),
        },
    )
    if row is None:
        return None
    kind, attempt, max_attempts, payload, order_id, waited = row
    return Lease(
        job_id=job_id,
        kind=kind,
        token=token,
        attempt=attempt,
        max_attempts=max_attempts,
        payload=payload,
        order_id=order_id,
        waited=waited,
        claimed_at=claimed_at,
    )


def end(session: Session, lease: Lease, state: str, outcome: str, error: str | None = None) -> None:
    """Close the job as `done` or `dead`; raises `LeaseLostError` if it is no longer ours."""
    _leave(session, lease, _END, outcome, error, state=state)


def put_back(session: Session, lease: Lease, error: str, delay: timedelta) -> None:
    """Make the job ready again after `delay`; raises `LeaseLostError` if it is no longer ours."""
    _leave(session, lease, _PUT_BACK, "retry", error, delay=delay)


def hand_back(session: Session, lease: Lease, why: str, delay: timedelta) -> None:
    """Make the job ready again as if it had not been tried; raises `LeaseLostError`."""
    _leave(session, lease, _HAND_BACK, None, why, delay=delay)


def _leave(
    session: Session,
    lease: Lease,
    statement: Statement,
    outcome: str | None,
    error: str | None,
    **values: Any,
) -> None:
    if statement.row(session, lease.left(outcome, error) | values) is None:
        raise LeaseLostError(lease.job_id)
