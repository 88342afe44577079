"""Capture by hand: money that a customer's bank has reserved is taken when staff say so."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

import settings
from models import job_desk, journal, orders, payment
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
    _, is_new = job_desk.ask(
        session,
        "payments.capture",
        key=f"capture:{payment_id}",
        order_id=order.id,
        payment_id=payment_id,
    )
    if is_new:
        why = "staff want the money"
        journal.write(session, row, "payment.capture_requested", None, None, who=who, why=why)
    return row


def warn(session: Session) -> None:
    """Have a person look at orders whose reserved money will soon be gone."""
    soon = timedelta(hours=settings.current().capture_warning_hours)
    ending = session.execute(
        select(Payment.id, Payment.order_id, Payment.capture_before)
        .where(Payment.state == "authorised", Payment.capture_before <= now() + soon)
        .order_by(Payment.order_id)
        .limit(_BATCH)
    ).all()
    for row in ending:
        order = orders.lock(session, row.order_id)
        why = f"payment {row.id} must be captured before {row.capture_before:%Y-%m-%d %H:%M} UTC"
        orders.flag_for_review(session, order, who="system", why=why)
