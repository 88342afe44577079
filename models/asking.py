"""What is asked of a provider about a payment: frozen before the call, the same after a crash."""

from datetime import timedelta

from sqlalchemy.orm import Session

from models import capturing, journal, looking, orders, payment, starting
from models.intents import PaymentRequest
from models.orders import Order
from models.payment import STATES, UNSENT, Payment
from models.rows import Rows
from models.session import now, signal_after_commit
from models.statement import Statement

_COUNTRY = "SELECT country FROM address WHERE order_id = %(order_id)s ORDER BY kind LIMIT 1"
# Only the clock and the above are interpolated, never a value (S608).
_AGE_AND_COUNTRY = Statement(
    f"SELECT {now()} - sent_at, ({_COUNTRY}) FROM payment WHERE id = %(payment_id)s"  # noqa: S608
)
_ORDER_AND_COUNTRY = Rows(Order, "WHERE id = %(order_id)s", f"({_COUNTRY})")


def begin(session: Session, payment_id: int) -> PaymentRequest | None:
    """Mark the payment as sent and freeze its request; after a crash, the same request.

    None if there is nothing to send: the whole answer is here, or the order closed first.
    """
    order, row = payment.lock_with_order(session, payment_id)
    if row.state == "created":
        _send_or_cancel(session, order, row)
    return request_for(session, order, row) if row.lacks_answer else None


def _send_or_cancel(session: Session, order: Order, row: Payment) -> None:
    if order.state != "pending" or order.closing is not None:
        payment.cancel_unsent(session, row, why="the order closed first")
        return
    journal.move(
        session,
        row,
        STATES,
        "sent",
        who="worker",
        why="the provider is being asked",
        is_locked=True,
        sent_at=now(),
        **looking.soon(),
    )


def to_look_at(session: Session, payment_id: int) -> PaymentRequest | None:
    """What to ask the provider about; None if it was never asked for this payment."""
    order, row = payment.lock_with_order(session, payment_id)
    looking.begin(session, payment_id, "payment")
    return request_for(session, order, row) if row.state not in UNSENT else None


def to_capture(session: Session, payment_id: int) -> PaymentRequest | None:
    """What to capture; None unless money is reserved for an order that still wants it so."""
    order, row = payment.lock_with_order(session, payment_id)
    is_wanted = row.state == "authorised" and capturing.is_wanted(session, order)
    return request_for(session, order, row) if is_wanted else None


def to_close(session: Session, payment_id: int) -> PaymentRequest | None:
    """What to close at the provider; None if the payment is final."""
    order, row = payment.lock_with_order(session, payment_id)
    return request_for(session, order, row) if row.is_live else None


def request_for(session: Session, order: Order, row: Payment) -> PaymentRequest:
    """The payment's one immutable request, and how long ago it was first sent."""
    of = {"payment_id": row.id, "order_id": order.id}
    age, country = _AGE_AND_COUNTRY.row(session, of) or ()
    return PaymentRequest(
        payment_id=row.id,
        order_id=order.id,
        order_number=order.order_number,
        provider=row.provider,
        provider_payment_id=row.provider_payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        is_captured_by_hand=row.capture == "manual",
        key=row.provider_key,
        age=age or timedelta(0),
        is_unknown=row.state == "unknown",
        payment_method=row.method,
        return_url=row.return_url,
        country=country,
        email=order.email,
    )


def with_country(session: Session, order_id: int) -> tuple[Order, str] | None:
    """The order, and where its bill goes: with the goods, unless the buyer said otherwise."""
    found = _ORDER_AND_COUNTRY.first_with(session, order_id=order_id)
    return (found[0], str(found[1])) if found else None


def mark_unknown(session: Session, payment_id: int) -> None:
    """Say that the provider's answer was lost: it may or may not have opened the row."""
    _, row = payment.lock_with_order(session, payment_id)
    journal.move(
        session,
        row,
        STATES,
        "unknown",
        who="worker",
        why="the provider's answer was lost",
    )


def refuse(session: Session, payment_id: int, *, why: str) -> None:
    """End a payment that the provider would not open, and with it its order if that is closing.

    If an earlier answer was lost, the payment may be open all the same: a person must look.
    """
    order, row = payment.lock_with_order(session, payment_id)
    only_sent = {"sent": frozenset({"failed"})}
    if not journal.move(
        session,
        row,
        only_sent,
        "failed",
        who=row.provider,
        why=why,
        ended_at=now(),
        **looking.no_more(),
    ):
        orders.flag_for_review(session, order, who="system", why=why)
        return
    orders.end_closing(session, order, who="system", why="its payment was refused")
    starting.begin_next(session, order)
    signal_after_commit(session, f"payment:{row.id}")


def leave_to_a_person(session: Session, payment_id: int, *, why: str) -> None:
    """Ask for review: what became of the payment is not known, so it is never called failed."""
    order, _ = payment.lock_with_order(session, payment_id)
    orders.flag_for_review(session, order, who="system", why=why)
