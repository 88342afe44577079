"""Capture: money that is reserved, or agreed to, is taken: by itself, or when staff say so."""

from datetime import timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

import settings
from models import job_desk, journal, orders, payment
from models.job import Job
from models.orders import Order
from models.payment import Payment
from models.session import now

_BATCH = 200


class NotCapturableError(Exception):
    """No money is reserved, or its order does not want it any more."""


def request(session: Session, payment_id: int, *, who: str) -> Payment:
    """Have the reserved money taken, whole and once; raises `NotCapturableError`.

    Asked again, it is the same job until that has ended, then another: one may be dead.
    """
    order, row = payment.lock_with_order(session, payment_id)
    if row.state != "authorised" or order.state != "pending" or order.closing is not None:
        raise NotCapturableError(row.state)
    if _ask(session, "capture", order, row):
        why = "staff want the money"
        journal.write(session, row, "payment.capture_requested", None, None, who=who, why=why)
    return row


def is_wanted(session: Session, order: Order) -> bool:
    """Whether the order may still be paid by its live payment."""
    is_pending = order.state == "pending" and order.closing is None
    return is_pending and payment.waiting_of(session, order.id) is None


def take(session: Session, order: Order, row: Payment) -> None:
    """Have the money taken that the buyer has agreed to, if its order still wants it."""
    if is_wanted(session, order):
        _ask(session, "capture", order, row)


def reserve(session: Session, order: Order, row: Payment) -> None:
    """Have the money reserved that the buyer has agreed to, if its order still wants it."""
    if is_wanted(session, order):
        _ask(session, "reserve", order, row)


def _ask(session: Session, verb: str, order: Order, row: Payment) -> bool:
    """Have a worker do it; whether that is new."""
    key, ids = f"{verb}:{row.id}", {"order_id": order.id, "payment_id": row.id}
    _, is_new = job_desk.ask(session, f"payments.{verb}", key=key, **ids)
    return is_new


def is_under_way(session: Session, payment_id: int) -> bool:
    """Whether a worker may be taking or reserving the money at this moment."""
    held = (Job.kind.in_(("payments.capture", "payments.reserve")), Job.state == "leased")
    is_this = Job.payload["payment_id"].as_string() == str(payment_id)  # ids outgrow an INTEGER
    return bool(session.scalar(select(exists().where(*held, is_this))))


def warn(session: Session) -> None:
    """Have a person look at orders whose reserved money will soon be gone."""
    soon = timedelta(hours=settings.current().capture_warning_hours)
    ending = session.execute(
        select(Payment.id, Payment.order_id, Payment.capture_before)
        .where(
            Payment.state == "authorised",
            Payment.capture == "manual",
            Payment.capture_before <= now() + soon,
        )
        .order_by(Payment.order_id)
        .limit(_BATCH)
    ).all()
    for row in ending:
        order = orders.lock(session, row.order_id)
        why = f"payment {row.id} must be captured before {row.capture_before:%Y-%m-%d %H:%M} UTC"
        orders.flag_for_review(session, order, who="system", why=why)
