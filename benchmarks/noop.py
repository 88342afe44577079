"""Work that is nothing, twice: as a job of the ledger, and as a plain Celery task."""

import tasks
from tasks.base import Work, job


@job("payments.noop")
def noop_job(work: Work) -> None:
    """Do nothing, and say so."""
    with work.finish():
        pass


@tasks.app.task(name="payments.plain")  # type: ignore[untyped-decorator]
def noop_task() -> None:
    """Do nothing."""
