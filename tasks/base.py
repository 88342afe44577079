"""The one form of a job: claim → call → record.

A job is claimed in a short transaction, calls the outside world with none open, and records
what came of it together with its own end, fenced by its lease.
"""

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

import settings
import tasks
from models import job as ledger
from models import kinds, ringing
from models.job import Lease, LeaseLostError
from models.kinds import Kind, Retry
from models.lease import renew
from models.session import at_once, transaction
from tasks import sight, worker
from tasks.breaker import NotNowError, Peer

logger = logging.getLogger(__name__)

Effect = Callable[[Session], object]
T = TypeVar("T")

# Of a lease of 60 s, 25 must be left when a call begins: for the call and for recording it.
_LEASE_SHARE_BEFORE_CALLS = 35 / 60


class NoEndError(Exception):
    """A job's function returned without saying how the job ended."""


class LeaseShortError(Exception):
    """The worker was held up after its claim: a call now could outlive the lease."""


class DiedError(Exception):
    """Every try of the job took its worker down."""


class Work:
    """A claimed job in hand: it must end by `finish`, `skip` or `retry`, or by an exception."""

    def __init__(self, lease: Lease, kind: Kind) -> None:
        self._lease = lease
        self._kind = kind
        self._claimed_at = lease.claimed_at
        self.outcome: str | None = None

    @contextmanager
    def finish(self) -> Iterator[Session]:
        """Record the effects and the job's end in one commit, or nothing if the lease is lost."""
        with transaction() as session:
            yield session
            ledger.end(session, self._lease, "done", "done")
        self.outcome = "done"

    def finish_at_once(self, ends: Callable[[Session, Lease], T | None]) -> T | None:
        """Record the effects and the job's end in one statement; None if it does neither."""
        with at_once() as session:
            done = ends(session, self._lease)
        if done is not None:
            self.outcome = "done"
        return done

    def outside(self, peer: Peer, function: Callable[..., T], *arguments: Any) -> T:
        """Call the outside world, if enough of the lease is left to record what it answers.

        Raises what `function` raises; without calling it, the job is handed back.
        """
        patience = settings.current().job_lease_seconds * _LEASE_SHARE_BEFORE_CALLS
        if time.monotonic() > self._claimed_at + patience:
            raise LeaseShortError("too little of the lease is left for a call")
        return peer.call(function, *arguments)

    def renew(self) -> None:
        """Begin the lease anew, in work that is long; raises `LeaseLostError`."""
        claimed_at = time.monotonic()
        with transaction() as session:
            renew(session, self._lease)
        self._claimed_at = claimed_at

    def skip(self, why: str) -> None:
        """End the job: there is nothing left to do."""
        with at_once() as session:
            ledger.end(session, self._lease, "done", f"skipped: {why}")
        self.outcome = "skipped"

    def retry(self, error: Exception, *, also: Effect | None = None) -> None:
        """Record `also` and have the job tried again later, or bury it if this was the last try."""
        is_last = self._lease.attempt >= self._lease.max_attempts
        with transaction() as session:
            if also is not None:
                also(session)
            if is_last:
                self._bury(session, error)
            else:
                delay = self._kind.retry.delay(self._lease.attempt)
                ledger.put_back(session, self._lease, _words(error), delay)
        self.outcome = "dead" if is_last else "retry"

    def hand_back(self, why: Exception, pause: float) -> None:
        """Give the try back uncounted: nothing was wrong with the job, its time had not come."""
        with transaction() as session:
            ledger.hand_back(session, self._lease, _words(why), timedelta(seconds=pause))
        self.outcome = "handed_back"

    def bury(self, error: Exception) -> None:
        """End the job dead, visible to staff, with what its kind does about that."""
        with transaction() as session:
            self._bury(session, error)
        self.outcome = "dead"

    def _bury(self, session: Session, error: Exception) -> None:
        if self._kind.exhausted is not None:
            self._kind.exhausted(session, error, **self._lease.payload)
        ledger.end(session, self._lease, "dead", "dead", _words(error))
        logger.error("job %s (%s) is dead: %r", self._lease.job_id, self._kind.name, error)


P = ParamSpec("P")


def job(
    name: str, *, retry: Retry | None = None, exhausted: Callable[..., None] | None = None
) -> Callable[[Callable[Concatenate[Work, P], None]], Callable[Concatenate[Work, P], None]]:
    """Declare a kind of job: its name, how its failures are repeated, what its death entails."""

    def declare(
        function: Callable[Concatenate[Work, P], None],
    ) -> Callable[Concatenate[Work, P], None]:
        _work, *rest = inspect.signature(function).parameters.values()
        kinds.KINDS[name] = Kind(
            name=name,
            function=function,
            signature=inspect.Signature(rest),
            retry=retry or Retry(),
            exhausted=exhausted,
        )
        tasks.app.task(name=name)(perform)
        return function

    return declare


def perform(job_id: int) -> None:
    """Claim the job and do it; without a claim, nothing happens."""
    with tasks.database_app.app_context():
        with at_once() as session:
            lease = ledger.claim(session, job_id, worker.owner())
        if lease is None:
            return
        work = Work(lease, kinds.get(lease.kind))
        try:
            with worker.watchdog.watching(job_id), sight.on(lease, lambda: work.outcome):
                _do(work, lease)
        except LeaseLostError:
            logger.warning("job %s (%s) was taken over; nothing recorded", job_id, lease.kind)


def _do(work: Work, lease: Lease) -> None:
    kind = kinds.get(lease.kind)
    if lease.is_exhausted:
        work.bury(DiedError(f"{lease.max_attempts} tries ended without a word"))
        return
    try:
        kind.function(work, **lease.payload)
        _check_over(work, kind)
    except Exception as error:
        if work.outcome or isinstance(error, LeaseLostError):
            raise
        _fail(work, lease, kind, error)


def _fail(work: Work, lease: Lease, kind: Kind, error: Exception) -> None:
    if isinstance(error, NotNowError):
        work.hand_back(error, error.pause)
    elif isinstance(error, LeaseShortError):
        work.hand_back(error, 0)
    elif isinstance(error, kind.retry.permanent):
        work.bury(error)
    else:
        logger.error("job %s (%s) failed", lease.job_id, kind.name, exc_info=error)
        work.retry(error)


def _check_over(work: Work, kind: Kind) -> None:
    if work.outcome is None:
        raise NoEndError(f"{kind.name} returned without an end")


def drain(limit: int = 1000) -> int:
    """Do what is due, in this process and without a broker; how many jobs were tried."""
    done = 0
    while done < limit:
        with tasks.database_app.app_context(), transaction() as session:
            waiting = ringing.ready_ids(session, kinds.KINDS, limit=min(50, limit - done))
        if not waiting:
            break
        for job_id in waiting:
            perform(job_id)
        done += len(waiting)
    return done


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
