"""A worker that lacks one guard of the ledger: `python -m tests.faults.careless fence worker …`.

With it the tests show that they would notice: without the guard, work is done twice.
"""

import re
import sys
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import job as ledger
from models.job import Job, JobAttempt, Lease
from models.statement import Statement
from tasks import app


def _end_without_fence(
    session: Session, lease: Lease, state: str, outcome: str, error: str | None = None
) -> None:
    """Close the job, whoever has its lease by now."""
    session.execute(
        update(Job)
        .where(Job.id == lease.job_id)
        .values(state=state, lease_token=None, lease_until=None)
    )
    note: dict[str, Any] = {"attempt": lease.attempt, "outcome": outcome, "error": error}
    session.add(JobAttempt(job_id=lease.job_id, lease_token=lease.token, **note))


def _claim_without_condition() -> None:
    """Have every claim take the job, even if it is held or done."""
    condition = r"AND state = 'ready' AND run_at <= .*? AND kind"
    ledger._CLAIM = Statement(re.sub(condition, "AND kind", ledger._CLAIM.sql))


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "fence":
            ledger.end = _end_without_fence
        case "claim":
            _claim_without_condition()
    app.worker_main(sys.argv[1:])
