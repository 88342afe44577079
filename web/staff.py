"""For staff: jobs, events, what the auditor found. For others none of this exists."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from models import job, job_desk, webhook_event
from models.audit import finding
from models.session import transaction
from web import callers
from web.api import Blueprint
from web.errors import Problem
from web.paging import Page, page
from web.refusals import refusals
from web.schemas import WHY
from web.staff_representations import (
    JOB,
    JOB_DETAIL,
    FindingList,
    JobList,
    JobQuery,
    JobStats,
    WebhookList,
    WebhookQuery,
)

blueprint = Blueprint("staff", __name__, url_prefix="/staff", description="For staff.")


@blueprint.route("/jobs/")
@blueprint.allows("viewer", "jobs:read")
@blueprint.arguments(JobQuery(), location="query")
@blueprint.response(200, JobList())
@blueprint.problems("not_found")
def list_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """Jobs, newest first."""
    limit, after, seconds = (query.pop(name) for name in ("limit", "starting_after", "older_than"))
    age = None if seconds is None else timedelta(seconds=seconds)
    wanted = job_desk.Filter(**query, older_than=age)
    with transaction() as session:
        return page(job_desk.find(session, wanted, limit=limit + 1, after=after), limit)


@blueprint.route("/jobs/stats/")
@blueprint.allows("viewer", "jobs:read")
@blueprint.response(200, JobStats())
@blueprint.problems("not_found")
def job_stats() -> dict[str, Any]:
    """What waits, runs and is dead in each queue."""
    with transaction() as session:
        return {"data": job_desk.stats(session)}


@blueprint.route("/jobs/<int:job_id>/")
@blueprint.allows("viewer", "jobs:read")
@blueprint.response(200, JOB_DETAIL)
@blueprint.problems("not_found")
def show_job(job_id: int) -> dict[str, Any]:
    """One job, and how its tries ended."""
    with transaction() as session:
        found = session.get(job.Job, job_id)
        if found is None:
            raise Problem(404, "not_found")
        return {"job": found, "attempts": job_desk.attempts(session, job_id)}


@blueprint.route("/jobs/<int:job_id>/retry/", methods=["POST"])
@blueprint.allows("clerk", "jobs:write")
@blueprint.arguments(WHY)
@blueprint.response(200, JOB)
@blueprint.problems("not_found", "role_too_low", "unauthorized_origin", "job_not_retryable")
def retry_job(body: dict[str, str], job_id: int) -> job.Job:
    """Have a dead or cancelled job tried anew, from now on."""
    return _act(job_desk.retry, job_id, body["why"])


@blueprint.route("/jobs/<int:job_id>/cancel/", methods=["POST"])
@blueprint.allows("clerk", "jobs:write")
@blueprint.arguments(WHY)
@blueprint.response(200, JOB)
@blueprint.problems("not_found", "role_too_low", "unauthorized_origin", "job_not_cancellable")
def cancel_job(body: dict[str, str], job_id: int) -> job.Job:
    """Call off a job that waits or is dead; one that a worker holds is left alone."""
    return _act(job_desk.cancel, job_id, body["why"])


@blueprint.route("/findings/")
@blueprint.allows("viewer", "jobs:read")
@blueprint.arguments(Page(), location="query")
@blueprint.response(200, FindingList())
@blueprint.problems("not_found")
def list_findings(query: Mapping[str, Any]) -> dict[str, Any]:
    """What the auditor found and nobody has mended, newest first."""
    limit = query["limit"]
    with transaction() as session:
        found = finding.open_ones(session, limit=limit + 1, after=query["starting_after"])
        return page(found, limit)


@blueprint.route("/webhooks/")
@blueprint.allows("viewer", "jobs:read")
@blueprint.arguments(WebhookQuery(), location="query")
@blueprint.response(200, WebhookList())
@blueprint.problems("not_found")
def list_webhooks(query: Mapping[str, Any]) -> dict[str, Any]:
    """Events that providers have sent, newest first; `parked` ones wait for their payment."""
    limit = query["limit"]
    with transaction() as session:
        found = webhook_event.find(
            session, limit=limit + 1, after=query["starting_after"], state=query["state"]
        )
    return page(found, limit)


def _act(act: Callable[..., job.Job], job_id: int, why: str) -> job.Job:
    with refusals(), transaction() as session:
        return act(session, job_id, who=callers.present().name, why=why)
