"""One order: everything that is known of it, why it is where it is, and what can be done."""

import hashlib
from typing import Any

from flask import Response, make_response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import dispute, fulfilment, orders, payment, refund, restocking, standing, story, user
from models.job import Job
from models.journal import JournalEntry
from models.notification import Notification
from models.orders import Order
from models.session import transaction
from web.desk.frame import allows, blueprint, desk_time, found, render

_STUCK = ("ready", "leased", "dead")


@blueprint.get("/desk/orders/<int:order_id>/")
@allows("viewer")
def order_page(order_id: int) -> Response:
    """The order with everything about it."""
    with transaction() as session:
        facts = _facts(session, order_id)
    return render("order.html", **facts, seen=_seen(facts))


@blueprint.get("/desk/orders/<int:order_id>/live/")
@allows("viewer")
def order_live(order_id: int) -> Response:
    """What has changed on an open page; 204 if nothing has."""
    with transaction() as session:
        facts = _facts(session, order_id)
    seen = _seen(facts)
    if request.args.get("seen") == seen:
        return make_response("", 204)
    return make_response(render_template("desk/order_live.html", **facts, seen=seen))


def _facts(session: Session, order_id: int) -> dict[str, Any]:
    order = found(orders.load(session, order_id))
    payments = payment.of_order(session, order_id)
    refunds = refund.of_order(session, order_id)
    disputes = dispute.of_order(session, order_id)
    told = story.of_order(session, order_id)
    clock = desk_time(session)
    return {
        "order": order,
        "payments": payments,
        "refunds": refunds,
        "disputes": disputes,
        "left": {each.id: _left(session, each) for each in payments},
        "returnable": restocking.returnable(session, order_id) if payments else (),
        "shipment": fulfilment.shipment_of(session, order_id),
        "mails": _mails(session, order_id),
        "story": told,
        "staff": user.names(session, story.staff_among(told)),
        "clock": clock,
        "standing": standing.explain(
            standing.Facts(
                order=order,
                now=clock.now,
                payments=payments,
                refunds=refunds,
                disputes=disputes,
                jobs=_stuck(session, order_id),
                review=_review(session, order) if order.needs_review else None,
            )
        ),
    }


def _left(session: Session, paid: payment.Payment) -> int:
    return refund.left_minor(session, paid) if paid.state == "succeeded" else 0


def _mails(session: Session, order_id: int) -> list[Notification]:
    mails = select(Notification).where(Notification.order_id == order_id)
    return list(session.scalars(mails.order_by(Notification.id)))


def _stuck(session: Session, order_id: int) -> list[Job]:
    jobs = select(Job).where(Job.order_id == order_id, Job.state.in_(_STUCK))
    return list(session.scalars(jobs.order_by(Job.id)))


def _review(session: Session, order: Order) -> str | None:
    entry = JournalEntry
    asked = (entry.order_id == order.id, entry.what == "order.needs_review")
    return session.scalar(select(entry.why).where(*asked).order_by(entry.id.desc()).limit(1))


def _seen(facts: dict[str, Any]) -> str:
    """What an open page shows, in a word: another one, once there is more to be seen."""
    order: Order = facts["order"]
    rows = [*facts["payments"], *facts["refunds"], *facts["disputes"], *facts["mails"]]
    last = facts["story"][0] if facts["story"] else None
    shown = (
        [(type(row).__name__, row.id, row.state) for row in rows],
        (order.status, order.closing, order.expires_at, order.needs_review),
        (order.stock_shortage, order.disputed, order.refunded_minor),
        len(facts["story"]),
        (last.at, last.what, last.becomes) if last else None,
        facts["standing"],
    )
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
