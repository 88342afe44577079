"""Booking what a provider says of a payment, and what follows from it for the order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

import settings
from models import (
    capturing,
    journal,
    looking,
    orders,
    payment,
    refund,
    refunding,
    rows,
    sealed,
    starting,
)
from models.intents import PaymentSnapshot
from models.orders import Order
from models.payment import FINAL, STATES, Payment
from models.session import now, signal_after_commit

Witness = Literal["answer", "event", "look"]
"""How we know: the answer to a create call, which may be a replay, an event, or a fresh look."""

# If the provider does not say when it ends; Stripe's shortest, for cards (docs.stripe.com).
_AUTHORISATION = timedelta(days=7)
_RANK = {
    state: rank
    for rank, state in enumerate(
        ["created", "sent", "unknown", "open", "requires_action", "processing", "authorised"]
    )
}


def record(
    session: Session, payment_id: int, snapshot: PaymentSnapshot, *, witness: Witness
) -> Payment:
    """Book a snapshot: forward only, unless it is a fresh look, which may also go back.

    Success makes the order paid in this same transaction. An amount, currency or mode that
    is not ours is never called paid: the order is flagged for a person instead.
    """
    order, row = payment.lock_with_order(session, payment_id)
    book(session, order, row, snapshot, witness=witness)
    return row


def book(
    session: Session, order: Order, row: Payment, snapshot: PaymentSnapshot, *, witness: Witness
) -> None:
    """The same, of a payment that is locked with its order."""
    if wrong := _contradiction(row, snapshot):
        orders.flag_for_review(session, order, who=row.provider, why=wrong)
        return
    moves = _may_follow(row.state, snapshot.state, witness)
    said = _said(row, snapshot, ends=row.state in FINAL or (moves and snapshot.state in FINAL))
    if moves:
        _advance(session, order, row, snapshot, witness=witness, said=said)
    else:
        for name, value in said.items():
            setattr(row, name, value)
    if snapshot.failure is not None:
        payment.note_attempt(session, row, snapshot.failure)
    if row.state == "authorised":
        if not snapshot.is_agreed_only or row.capture_before is None:
            row.capture_before = snapshot.capture_before or row.capture_before
        if row.capture == "manual":
            _authorised(session, order, row)
            if snapshot.is_agreed_only:
                capturing.reserve(session, order, row)
        else:
            capturing.take(session, order, row)
    signal_after_commit(session, f"payment:{row.id}")


def _said(row: Payment, snapshot: PaymentSnapshot, *, ends: bool) -> dict[str, Any]:
    """The provider's name for it and, sealed, what the buyer needs to go on until it `ends`.

    Of that, only answers and looks say anything.
    """
    said: dict[str, Any] = {"provider_payment_id": snapshot.provider_payment_id}
    if ends:
        return said
    if snapshot.client_secret is not None and row.client_secret is None:
        said["client_secret"] = sealed.seal(snapshot.client_secret)
    if snapshot.redirect_url is not None:
        said["redirect_url"] = sealed.seal(snapshot.redirect_url)
    return said


def could_lower(row: Payment, snapshot: PaymentSnapshot) -> bool:
    """Whether an event says something that only a fresh look may be believed about."""
    return snapshot.state != row.state and not _may_follow(row.state, snapshot.state, "event")


def _contradiction(row: Payment, snapshot: PaymentSnapshot) -> str | None:
    if row.provider_payment_id not in (None, snapshot.provider_payment_id):
        return f"a second provider payment {snapshot.provider_payment_id} claims to be this one"
    if (snapshot.amount_minor, snapshot.currency) != (row.amount_minor, row.currency):
        return f"the provider has {snapshot.amount_minor} {snapshot.currency}"
    if snapshot.is_live != settings.current().is_production:
        return "the provider's mode is not ours"
    if snapshot.state == "succeeded" and snapshot.received_minor != row.amount_minor:
        return f"the provider received {snapshot.received_minor} {snapshot.currency}"
    return None


def _may_follow(present: str, said: str, witness: Witness) -> bool:
    if said not in STATES[present]:
        return False
    if witness == "look" or said == "succeeded":
        return True
    # From an answer or an event alone, facts only grow; a final end must have been looked at.
    return said in _RANK and present in _RANK and _RANK[said] > _RANK[present]


def _advance(
    session: Session,
    order: Order,
    row: Payment,
    snapshot: PaymentSnapshot,
    *,
    witness: Witness,
    said: Mapping[str, Any],
) -> None:
    is_final = snapshot.state in FINAL
    ending: dict[str, Any] = looking.soon()
    if is_final:
        ending = {"ended_at": now(), "client_secret": None, **looking.no_more()}
    if is_final or snapshot.state == "open":  # the page for the try before is gone
        ending["redirect_url"] = None
    ending |= said
    journal.move(
        session,
        row,
        STATES,
        snapshot.state,
        who=row.provider,
        why=f"told by {witness}",
        is_locked=True,
        received_minor=snapshot.received_minor,
        raw_response=dict(snapshot.raw),
        **ending,
    )
    if row.state == "succeeded":
        _settle(session, order, row)
    elif is_final:
        orders.end_closing(session, order, who="system", why="its payment is closed")
        starting.begin_next(session, order)


def _authorised(session: Session, order: Order, row: Payment) -> None:
    """Keep the goods for as long as the money is reserved; staff capture it before that.

    An event does not say how long that is: a look will.
    """
    if row.capture_before is None:
        row.capture_before = _default_deadline(session)
        looking.stage(session, row, "payment")
    why = "money is reserved for it"
    orders.hold_until(session, order, row.capture_before, who=row.provider, why=why)


def _default_deadline(session: Session) -> datetime:
    return session.execute(select(now() + _AUTHORISATION)).scalar_one()


def _settle(session: Session, order: Order, row: Payment) -> None:
    """Let the payment pay its order; if that is not to be, give the money back, once."""
    if orders.pay(session, order, who=row.provider, why=f"payment {row.id} succeeded"):
        rows.change(session, row, {}, settles=True)
    else:
        _give_back(session, order, row)
    refunding.count(session, order, row)
    starting.call_off_next(session, order, why="the payment before it succeeded")


def _give_back(session: Session, order: Order, row: Payment) -> None:
    origin, why = "surplus", "the order was paid already"
    if order.state != "paid":
        origin, why = "late", "it came after the order had ended, and its goods are gone"
    session.flush()
    if refund.sums(session, row.id).counted >= row.received_minor:
        return  # it was given back at the provider, and we were told of that first
    try:
        refund.request(session, row.id, origin=origin, who="system", why=why)
    except refund.DisputedError:
        orders.flag_for_review(session, order, who="system", why=f"payment {row.id}: {why}")
