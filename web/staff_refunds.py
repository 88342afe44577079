"""Refunds and disputes as staff look after them: all of the shop's, and what was done by hand."""

from collections.abc import Mapping
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from models import dispute, refund_desk
from models.refund import Refund
from models.session import transaction
from web import callers, refunds, rendering
from web.api import Blueprint
from web.errors import Problem
from web.paging import page
from web.refund_representations import (
    DisputeList,
    DisputeQuery,
    MarkedRefundedList,
    MarkRefundedIn,
    RecordIn,
    Recording,
    RefundList,
    RefundQuery,
)
from web.refunds import Answer
from web.refusals import refusals

_JOB_LOCATION = {
    "Location": {
        "description": "The job that asks the provider.",
        "schema": {"type": "string", "examples": ["/staff/jobs/12/"]},
    }
}

blueprint = Blueprint(
    "staff_refunds", __name__, url_prefix="/staff", description="For staff: money that goes back."
)


@blueprint.route("/refunds/")
@blueprint.allows("viewer", "orders:read")
@blueprint.arguments(RefundQuery(), location="query")
@blueprint.response(200, RefundList())
@blueprint.problems("not_found")
def list_refunds(query: Mapping[str, Any]) -> dict[str, Any]:
    """Refunds, newest first; those of origin `provider` were made there."""
    with transaction() as session:
        found = refund_desk.find(
            session,
            limit=query["limit"] + 1,
            after=query["starting_after"],
            state=query["state"],
            origin=query["origin"],
        )
        return page(refunds.shown(session, found, for_staff=True), query["limit"])


@blueprint.route("/disputes/")
@blueprint.allows("viewer", "orders:read")
@blueprint.arguments(DisputeQuery(), location="query")
@blueprint.response(200, DisputeList())
@blueprint.problems("not_found")
def list_disputes(query: Mapping[str, Any]) -> dict[str, Any]:
    """Disputes, open ones first, by how soon they must be answered."""
    with transaction() as session:
        found = dispute.find(
            session,
            limit=query["limit"] + 1,
            after=query["starting_after"],
            state=query["state"],
        )
    return page([rendering.dispute(each) for each in found], query["limit"])


@blueprint.route("/refunds/record/", methods=["POST"])
@blueprint.allows("clerk", "refunds:write")
@blueprint.arguments(RecordIn())
@blueprint.response(202, Recording(), headers=_JOB_LOCATION)
@blueprint.alt_response(200, schema=Recording())
@blueprint.problems("not_found", "role_too_low", "unauthorized_origin")
def record(body: dict[str, Any]) -> Answer:
    """Have a refund taken over that was made by hand at the provider.

    202: a worker asks the provider about it, and books it if it is of this payment. 200 if it
    is known already.
    """
    with refusals(), transaction() as session:
        return _recorded(session, **body)


def _recorded(session: Session, payment_id: int, provider_refund_id: str) -> Answer:
    named = {"payment_id": payment_id, "provider_refund_id": provider_refund_id}
    if (known := refund_desk.recorded(session, payment_id, provider_refund_id)) is not None:
        (shown,) = refunds.shown(session, [known], for_staff=True)
        return {**named, "job_id": None, "refund": shown}, 200, {}
    who = callers.present().name
    job_id = refund_desk.record(session, payment_id, provider_refund_id, who=who)
    location = {"Location": url_for("staff.show_job", job_id=job_id)}
    return {**named, "job_id": job_id, "refund": None}, 202, location


@blueprint.route("/orders/mark-refunded/", methods=["POST"])
@blueprint.allows("clerk", "refunds:write")
@blueprint.arguments(MarkRefundedIn())
@blueprint.response(200, MarkedRefundedList())
@blueprint.problems(
    "items_empty", "too_many_items", "role_too_low", "not_found", "unauthorized_origin"
)
def mark_refunded(body: dict[str, Any]) -> dict[str, Any]:
    """Have all given back that the payments of these orders hold, each order by itself.

    Asking again is safe, and is answered with the same refunds.
    """
    return {"data": [_marked(order_id) for order_id in dict.fromkeys(body["order_ids"])]}


def _marked(order_id: int) -> dict[str, Any]:
    try:
        asked = give_all_back(order_id, who=callers.present().name)
    except Problem as problem:
        return {
            "order_id": order_id,
            "refunds": [],
            "code": problem.code,
            "detail": problem.detail,
        }
    with transaction() as session:
        return {"order_id": order_id, "refunds": refunds.shown(session, asked, for_staff=True)}


def give_all_back(order_id: int, *, who: str) -> list[Refund]:
    """Have all given back that the order's payments hold; raises the `Problem` that forbids it."""
    with refusals(), transaction() as session:
        return refund_desk.request_everything(
            session, order_id, who=who, why="its order was marked as refunded"
        )
