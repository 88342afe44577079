"""The job ledger in a browser: queues, what is dead and why, and another try."""

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from models import job_desk
from models.job import Job
from models.kinds import KINDS, QUEUES
from models.session import transaction
from web.desk.frame import act, after, allows, blueprint, desk_time, form, found, given, render
from web.schemas import WHY

_PAGE = 50
_QUEUES = sorted(set(QUEUES.values()))


@blueprint.get("/desk/jobs/")
@allows("viewer")
def jobs() -> Response:
    """The queues, and jobs, newest first."""
    wanted = job_desk.Filter(
        state=_one_of(job_desk.STATES, "state"),
        queue=_one_of(_QUEUES, "queue"),
        kind=_one_of(sorted(KINDS), "kind"),
    )
    with transaction() as session:
        rows = job_desk.find(session, wanted, limit=_PAGE + 1, after=after())
        stats = job_desk.stats(session)
        clock = desk_time(session)
    return render(
        "jobs.html",
        jobs=rows[:_PAGE],
        more=rows[_PAGE - 1].id if len(rows) > _PAGE else None,
        stats=stats,
        clock=clock,
        wanted=wanted,
        states=job_desk.STATES,
        kinds=sorted(KINDS),
    )


@blueprint.get("/desk/jobs/<int:job_id>/")
@allows("viewer")
def job_page(job_id: int) -> Response:
    """One job, and how its tries ended."""
    with transaction() as session:
        row = found(session.get(Job, job_id))
        attempts = job_desk.attempts(session, job_id)
        clock = desk_time(session)
    return render("job.html", job=row, attempts=attempts, clock=clock)


@blueprint.post("/desk/jobs/<int:job_id>/retry/")
@allows("clerk")
def job_retry(job_id: int) -> AnyResponse:
    """Have a dead or cancelled job tried anew."""
    return _act(job_id, job_desk.retry, "It is tried again, from now on.")


@blueprint.post("/desk/jobs/<int:job_id>/cancel/")
@allows("clerk")
def job_cancel(job_id: int) -> AnyResponse:
    """Call off a job that waits or is dead."""
    return _act(job_id, job_desk.cancel, "Called off.")


def _act(job_id: int, verb: Callable[..., Any], told: str) -> AnyResponse:
    def do(session: Session, who: str) -> str:
        verb(session, job_id, who=who, **given(WHY, {"why": form().get("why", "")}))
        return told

    return act(do, back=url_for("desk.job_page", job_id=job_id))


def _one_of(choices: Any, name: str) -> str | None:
    chosen = request.args.get(name)
    return chosen if chosen in choices else None
