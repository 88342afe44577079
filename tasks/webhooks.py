"""Webhook reconciliation: what a stored event says is matched with a payment and booked."""

from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from models import job as ledger
from models import matching, payment, settling, webhook_event
from models.kinds import Retry
from models.session import transaction
from providers import registry
from providers.base import ProviderEvent
from tasks.base import Work, job


class NoPaymentYetError(Exception):
    """The event bears our mark, but its payment is not in the database."""


@job("webhooks.apply", retry=Retry(attempts=50))
def apply(work: Work, event_row_id: int) -> None:
    """Book what the event says; if it could lower what is known, have the provider asked."""
    with transaction() as session:
        stored = webhook_event.unapplied(session, event_row_id)
        if stored is None:
            event = payment_id = None
        else:
            event = registry.get(stored.provider).read_event(stored.body)
            payment_id = _match(session, stored.provider, event)
    if event is None:
        return work.skip("applied already")
    if event.payment is None:
        return _end(work, event_row_id, "ignored", f"{event.type} changes nothing here")
    if payment_id is None and event.marked_payment_id is None:
        return _end(work, event_row_id, "ignored", "no payment of this shop")
    if payment_id is None:
        return _park(work, event_row_id)
    with work.finish() as session:
        _book(session, event_row_id, payment_id, event)
    return None


def _match(session: Session, provider: str, event: ProviderEvent) -> int | None:
    if event.payment is None:
        return None
    return matching.match(
        session,
        provider,
        event.payment.provider_payment_id,
        event.idempotency_key,
        event.marked_payment_id,
    )


def _book(session: Session, event_row_id: int, payment_id: int, event: ProviderEvent) -> None:
    if event.payment is None:
        return
    _, row = payment.lock_with_order(session, payment_id)
    bind_contextvars(order_id=row.order_id, payment_id=payment_id)
    if settling.could_lower(row, event.payment):
        ledger.stage(
            session,
            "payments.refresh",
            key=f"refresh:{payment_id}:event:{event_row_id}",
            order_id=row.order_id,
            payment_id=payment_id,
        )
    settling.record(session, payment_id, event.payment, witness="event")
    webhook_event.end(session, event_row_id, "applied", reason=event.type, order_id=row.order_id)


def _end(work: Work, event_row_id: int, state: str, reason: str) -> None:
    with work.finish() as session:
        webhook_event.end(session, event_row_id, state, reason=reason)


def _park(work: Work, event_row_id: int) -> None:
    why = "its payment is not known here yet"
    work.retry(
        NoPaymentYetError(why),
        also=lambda session: webhook_event.end(session, event_row_id, "parked", reason=why),
    )
