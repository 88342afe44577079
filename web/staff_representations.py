"""What the API shows to staff alone: jobs, figures, findings, events."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from models import job_desk, webhook_event
from models.kinds import QUEUES
from web.fields import Nested
from web.outgoing import flag, moment, number, one_of, text
from web.paging import BIGINT, Page
from web.schemas import Schema, about


class JobQuery(Page):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(job_desk.STATES),
        metadata=about("Where the job stands.", "dead"),
    )
    kind = fields.String(
        load_default=None,
        validate=validate.Regexp(r"^[a-z]+\.[a-z_]+$"),
        metadata=about("What the job does.", "payments.close"),
    )
    queue = fields.String(
        load_default=None,
        validate=validate.OneOf(sorted(set(QUEUES.values()))),
        metadata=about("Whose workers do it.", "payments"),
    )
    order_id = fields.Integer(
        load_default=None, validate=BIGINT, metadata=about("The order it is about.", 42)
    )
    older_than = fields.Integer(
        load_default=None,
        validate=validate.Range(0, 10**9),
        metadata=about("Staged at least so many seconds ago.", 3600),
    )


class Job(Schema):
    example: ClassVar[dict[str, Any]] = {
        "id": 7,
        "kind": "notifications.send",
        "queue": "mail",
        "state": "dead",
        "order_id": 42,
        "dedupe_key": "mail:9",
        "payload": {"notification_id": 9},
        "run_at": "2026-11-22T12:00:00+00:00",
        "attempts": 30,
        "max_attempts": 30,
        "lease_owner": "host:4711:9f86d081",
        "lease_until": None,
        "last_error": "MailServerError: the server closed the line",
        "created_at": "2026-11-22T11:00:00+00:00",
        "finished_at": "2026-11-22T12:00:04+00:00",
    }

    id = number("The job.", 7)
    kind = text("What it does.", "notifications.send")
    queue = text("Whose workers do it.", "mail")
    state = one_of(job_desk.STATES, "Where it stands.")
    order_id = fields.Integer(
        required=True, allow_none=True, metadata=about("The order it is about.", 42)
    )
    dedupe_key = text("What the work is: the same work is one job.", "mail:9")
    payload = fields.Dict(
        fields.String(),
        required=True,
        metadata=about("What it takes: ids. Empty once the job has been pruned."),
    )
    run_at = moment("When it is due.")
    attempts = number("How often it was claimed.", 30)
    max_attempts = number("How often it may be claimed.", 30)
    lease_owner = text("Who claimed it last.", allow_none=True)
    lease_until = moment("Until when its worker holds it.", allow_none=True)
    last_error = text("What went wrong last.", allow_none=True)
    created_at = moment("When it was staged.")
    finished_at = moment("When it ended.", allow_none=True)


class JobAttempt(Schema):
    attempt = number("Its number, from 1.", 1)
    outcome = text("How it ended: done, skipped, retry or dead.", "retry")
    error = text("What went wrong.", allow_none=True)
    ended_at = moment("When it ended.")


class JobDetail(Schema):
    job = Nested(Job, required=True, metadata=about("The row."))
    attempts = fields.List(
        Nested(JobAttempt),
        required=True,
        metadata=about("How its tries ended. One that died with its worker is not here."),
    )


class JobList(Schema):
    data = fields.List(Nested(Job), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


class QueueFigures(Schema):
    queue = text("Whose workers they are for.", "mail")
    ready = number("Jobs that wait.", 3)
    due = number("Jobs that wait and could be done now.", 1)
    leased = number("Jobs that a worker holds.", 2)
    dead = number("Jobs that wait for a person.", 0)
    oldest_due_seconds = fields.Float(
        required=True, metadata=about("How long the one has been due that waits longest.", 0.4)
    )


class JobStats(Schema):
    data = fields.List(Nested(QueueFigures), required=True, metadata=about("Every queue."))


class Finding(Schema):
    id = number("The finding.", 5)
    promise = text("What does not hold.", "order.paid_has_its_stock")
    invariant = number("Its number in the list of invariants.", 5)
    subject = text("The table of the row.", "orders")
    subject_id = number("The row.", 42)
    order_id = fields.Integer(
        required=True, allow_none=True, metadata=about("The order it is about.", 42)
    )
    provider = fields.String(
        required=True,
        allow_none=True,
        metadata=about("Whose list showed it; nobody's if our rows alone did.", "stripe"),
    )
    reference = fields.String(
        required=True,
        allow_none=True,
        metadata=about("What it is called there.", "pi_1Example"),
    )
    detail = text("What is the case instead.")
    repair = text("What a person should do.")
    first_seen_at = moment("When it was found.")
    last_seen_at = moment("When it was last seen to be so.")


class FindingList(Schema):
    data = fields.List(Nested(Finding), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


class WebhookQuery(Page):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(tuple(webhook_event.STATES)),
        metadata=about("What became of the event.", "parked"),
    )


class WebhookEvent(Schema):
    id = number("The event, here.", 11)
    provider = text("Who sent it.", "stripe")
    event_id = text("Its name at the provider.", "evt_1Example")
    type = text("What it tells of, in the provider's words.", "payment_intent.succeeded")
    state = one_of(webhook_event.STATES, "What became of it.")
    reason = text("Why.", allow_none=True)
    order_id = fields.Integer(
        required=True, allow_none=True, metadata=about("The order it is about.", 42)
    )
    occurred_at = moment("When it happened there.")
    received_at = moment("When it came here.")
    ended_at = moment("When it was applied or ignored.", allow_none=True)


class WebhookList(Schema):
    data = fields.List(Nested(WebhookEvent), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


JOB = Job()
JOB_DETAIL = JobDetail()
