"""`flask jobs`: the job ledger, for people."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from models import job_desk
from models.job import Job
from models.kinds import QUEUES
from models.session import transaction
from tasks.base import drain
from web.cli.printing import as_json, as_list, as_table
from web.staff_representations import JOB, JOB_DETAIL

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLUMNS = ("id", "state", "queue", "kind", "order_id", "attempts", "run_at", "last_error")

jobs = AppGroup("jobs", help="The job ledger.")

Act = Callable[..., Job]


class Duration(click.ParamType[timedelta]):
    """A time span like 90s, 15m, 2h or 3d."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        match = re.fullmatch(r"(\d{1,6})([smhd])", value)
        if match is None:
            self.fail(f"{value!r} is not a time span like 90s, 15m, 2h or 3d", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


@jobs.command("list")
@click.option("--state", type=click.Choice(job_desk.STATES))
@click.option("--kind", help="Such as payments.close.")
@click.option("--queue", type=click.Choice(sorted(set(QUEUES.values()))))
@click.option("--order", "order_id", type=int, help="The id of its order.")
@click.option("--older-than", type=Duration(), help="Staged so long ago: 90s, 15m, 2h, 3d.")
@click.option("--limit", default=50, help="So many at most.")
@click.option("--starting-after", "after", type=int, help="The id of the last one seen before.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def list_(limit: int, after: int | None, *, is_json: bool, **wanted: Any) -> None:
    """Show jobs, newest first."""
    with transaction() as session:
        found = job_desk.find(session, job_desk.Filter(**wanted), limit=limit, after=after)
    if is_json:
        as_json(JOB.dump(found, many=True))
    else:
        as_table(map(vars, found), _COLUMNS)


@jobs.command("show")
@click.argument("job_id", type=int)
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def show(job_id: int, *, is_json: bool) -> None:
    """Show one job, and how its tries ended."""
    with transaction() as session:
        job = _found(session.get(Job, job_id), job_id)
        tries = job_desk.attempts(session, job_id)
    if is_json:
        as_json(JOB_DETAIL.dump({"job": job, "attempts": tries}))
        return
    as_list({name: getattr(job, name) for name in JOB.fields})
    click.echo()
    as_table(map(vars, tries), ("attempt", "outcome", "ended_at", "error"))


@jobs.command("retry")
@click.argument("job_ids", type=int, nargs=-1, required=True)
@click.option("--why", required=True, help="For the journal.")
def retry(job_ids: Sequence[int], why: str) -> None:
    """Have dead or cancelled jobs tried anew, from now on."""
    _act(job_desk.retry, job_ids, why)


@jobs.command("cancel")
@click.argument("job_ids", type=int, nargs=-1, required=True)
@click.option("--why", required=True, help="For the journal.")
def cancel(job_ids: Sequence[int], why: str) -> None:
    """Call off jobs that wait or are dead."""
    _act(job_desk.cancel, job_ids, why)


@jobs.command("stats")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def stats(*, is_json: bool) -> None:
    """Show what waits, runs and is dead in each queue."""
    with transaction() as session:
        figures = [asdict(queue) for queue in job_desk.stats(session)]
    if is_json:
        as_json(figures)
    else:
        as_table(figures, list(figures[0]))


@jobs.command("work")
@click.option("--limit", default=1000, help="Stop after so many tries.")
def work(limit: int) -> None:
    """Do what is due, here and without a broker, then stop."""
    click.echo(f"{drain(limit)} jobs were tried.")


def _act(act: Act, job_ids: Sequence[int], why: str) -> None:
    """Do it to each job by itself; those that refuse make the command fail, after all others."""
    refused = [job_id for job_id in job_ids if not _is_done(act, job_id, why)]
    if refused:
        raise click.ClickException(f"{len(refused)} of {len(job_ids)} jobs are as they were")


def _is_done(act: Act, job_id: int, why: str) -> bool:
    try:
        with transaction() as session:
            done = act(session, job_id, who="cli", why=why)
    except NoResultFound:
        click.echo(f"job {job_id}: there is none", err=True)
    except (job_desk.NotRetryableError, job_desk.NotCancellableError) as refusal:
        click.echo(f"job {job_id}: {refusal}", err=True)
    else:
        click.echo(f"job {job_id} is {done.state} now.")
        return True
    return False


def _found(job: Job | None, job_id: int) -> Job:
    if job is None:
        raise click.ClickException(f"job {job_id}: there is none")
    return job
