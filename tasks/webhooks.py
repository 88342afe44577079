"""Webhook reconciliation: what a stored event says is matched with a payment and booked."""

from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from models import (
    asking,
    dispute,
    looking,
    matching,
    payment,
    quick_booking,
    refunding,
    settling,
    webhook_event,
)
from models.kinds import Retry
from models.orders import Order
from models.payment import Payment
from models.session import at_once, transaction
from models.webhook_event import WebhookEvent
from providers import registry
from providers.base import ProviderEvent
from tasks.base import Work, job


class NoPaymentYetError(Exception):
    """The event bears our mark, but its payment is not in the database."""


@job("webhooks.apply", retry=Retry(attempts=50))
def apply(work: Work, event_row_id: int) -> None:
    """Book what the event says; if it could lower what is known, have the provider asked."""
    with at_once() as session:
        stored = webhook_event.unapplied(session, event_row_id)
        if stored is None:
            event = payment_id = None
        else:
            event = registry.get(stored.provider).read_event(stored.body)
            payment_id = _match(session, stored.provider, event)
    if event is None:
        return work.skip("applied already")
    if event.idle_because is not None:  # to the release that stored it, it was news
        return _end(work, event_row_id, "ignored", event.idle_because)
    if payment_id is None:
        return _leave(work, event_row_id, event)
    if stored is not None and _is_booked_at_once(work, stored, event):
        return None
    with work.finish() as session:
        order, row = payment.lock_with_order(session, payment_id)
        bind_contextvars(order_id=row.order_id, payment_id=payment_id)
        _book(session, order, row, event)
        webhook_event.end(
            session, event_row_id, "applied", reason=event.type, order_id=row.order_id
        )
    return None


def _is_booked_at_once(work: Work, stored: WebhookEvent, event: ProviderEvent) -> bool:
    """Book what is plain; False, and nothing is booked, if it has to be looked into."""
    besides = (event.refund, event.dispute, event.attempt, event.looks, event.warning)
    payment = event.payment
    if payment is None or any(besides) or not quick_booking.is_plain(payment):
        return False
    booked = work.finish_at_once(
        lambda session, lease: quick_booking.book(session, lease, stored, payment)
    )
    if booked is None:
        return False
    order_id, payment_id = booked
    bind_contextvars(order_id=order_id, payment_id=payment_id)
    return True


def _match(session: Session, provider: str, event: ProviderEvent) -> int | None:
    if not event.is_about_a_payment:
        return None
    return matching.match(
        session,
        provider,
        event.provider_payment_id,
        event.idempotency_key,
        event.marked_payment_id,
    )


def _book(session: Session, order: Order, row: Payment, event: ProviderEvent) -> None:
    """Book what an event alone may be believed about; have a look staged for the rest."""
    for subject in event.looks:
        looking.stage(session, row, subject)
    if event.attempt is not None:
        payment.note_attempt(session, row, event.attempt)
    if event.dispute is not None and dispute.is_news(session, row.provider, event.dispute):
        looking.stage(session, row, "disputes")
    if event.warning is not None:
        asking.leave_to_a_person(session, row.id, why=event.warning)
    if event.refund is not None:
        refunding.book(session, row.id, event.refund, key=event.idempotency_key, is_fresh=False)
    if event.payment is not None:
        if settling.could_lower(row, event.payment):
            looking.stage(session, row, "payment")
        settling.book(session, order, row, event.payment, witness="event")


def _end(work: Work, event_row_id: int, state: str, reason: str) -> None:
    with work.finish() as session:
        webhook_event.end(session, event_row_id, state, reason=reason)


def _leave(work: Work, event_row_id: int, event: ProviderEvent) -> None:
    """Put aside what is about no payment of ours, as far as we know now."""
    marked_id = event.marked_payment_id
    if marked_id is None:
        return _end(work, event_row_id, "ignored", "no payment of this shop")
    with transaction() as session:
        row = session.get(Payment, marked_id)
    if row is None or row.provider_payment_id is None:
        return _park(work, event_row_id)
    why = f"a second provider payment {event.provider_payment_id} claims to be {marked_id}"
    with work.finish() as session:
        if event.payment is not None and event.payment.received_minor > 0:
            asking.leave_to_a_person(session, marked_id, why=why)
        webhook_event.end(session, event_row_id, "ignored", reason=why, order_id=row.order_id)
    return None


def _park(work: Work, event_row_id: int) -> None:
    why = "its payment is not known here yet"
    work.retry(
        NoPaymentYetError(why),
        also=lambda session: webhook_event.end(session, event_row_id, "parked", reason=why),
    )
