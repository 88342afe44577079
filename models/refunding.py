"""A refund under way: frozen before its call, booked from whatever the provider says."""

from datetime import timedelta

from sqlalchemy import ColumnElement, Interval, select, type_coerce
from sqlalchemy.orm import Session

from models import (
    dispute,
    journal,
    looking,
    notification,
    orders,
    payment,
    refund,
    restocking,
    shortage,
)
from models.intents import RefundRequest, RefundSnapshot
from models.orders import Order
from models.payment import Payment
from models.refund import STATES, UNANSWERED, Refund
from models.session import now, signal_after_commit

_ACCEPTED = frozenset({"pending", "succeeded"})
_UNPAID = frozenset({"failed", "cancelled"})


def begin(session: Session, refund_id: int) -> RefundRequest | None:
    """Mark the refund as sent and freeze its request; after a crash, the same request.

    None if there is nothing to send: it is answered, or a dispute came first.
    """
    order, paid, row = refund.lock_with_payment(session, refund_id)
    if row.state == "requested":
        _send_or_cancel(session, order, paid, row)
    return _request_for(session, paid, row) if row.state in UNANSWERED else None


def _send_or_cancel(session: Session, order: Order, paid: Payment, row: Refund) -> None:
    if dispute.blocks_refund(session, paid.id):
        why = "the payment is disputed"
        journal.move(session, row, STATES, "cancelled", who="worker", why=why, ended_at=now())
        orders.flag_for_review(session, order, who="worker", why=f"refund {row.id}: {why}")
        return
    journal.move(
        session,
        row,
        STATES,
        "sent",
        who="worker",
        why="the provider is being asked",
        sent_at=now(),
        **looking.soon(),
    )


def _request_for(session: Session, paid: Payment, row: Refund) -> RefundRequest:
    age = session.execute(
        select(type_coerce(now() - Refund.sent_at, Interval)).where(Refund.id == row.id)
    ).scalar_one()
    return RefundRequest(
        refund_id=row.id,
        payment_id=paid.id,
        order_id=row.order_id,
        provider=row.provider,
        provider_payment_id=paid.provider_payment_id or "",
        amount_minor=row.amount_minor,
        currency=row.currency,
        reason=row.reason,
        key=row.provider_key or "",
        age=age or timedelta(0),
        is_unknown=row.state == "unknown",
    )


def mark_unknown(session: Session, refund_id: int) -> None:
    """Say that the provider's answer was lost: it may or may not have given the money back."""
    _, _, row = refund.lock_with_payment(session, refund_id)
    why = "the provider's answer was lost"
    journal.move(session, row, STATES, "unknown", who="worker", why=why)


def refuse(session: Session, refund_id: int, *, why: str) -> None:
    """End a refund that the provider would not make; its share is free again, a person must look.

    If an earlier answer was lost it may be made all the same, so it is not called failed.
    """
    order, _, row = refund.lock_with_payment(session, refund_id)
    only_sent = {"sent": frozenset({"failed"})}
    journal.move(
        session,
        row,
        only_sent,
        "failed",
        who=row.provider,
        why=why,
        failure=why,
        ended_at=now(),
        **looking.no_more(),
    )
    orders.flag_for_review(session, order, who=row.provider, why=f"refund {row.id}: {why}")
    _tell(session, row)


def leave_to_a_person(session: Session, refund_id: int, *, why: str) -> None:
    """Ask for review: what became of the refund is not known, so it is never called failed."""
    order, _, row = refund.lock_with_payment(session, refund_id)
    orders.flag_for_review(session, order, who="system", why=f"refund {row.id}: {why}")


def book(
    session: Session,
    payment_id: int,
    snapshot: RefundSnapshot,
    *,
    key: str | None = None,
    is_fresh: bool = True,
) -> Refund:
    """Book what the provider says of a refund of this payment, ours or one made outside.

    It is known by its id there, by the key of the call that caused it, or by our mark. An event
    (`is_fresh` false) may be old: if it tells of a failure, or denies one, a look is staged.
    """
    order, paid = payment.lock_with_order(session, payment_id)
    known = _known(session, paid, snapshot, key)
    row = known or _adopt(session, paid, snapshot)
    if wrong := _contradiction(row, snapshot):
        orders.flag_for_review(session, order, who=row.provider, why=f"refund {row.id}: {wrong}")
        return row
    row.provider_refund_id = snapshot.provider_refund_id
    if paid.state != "succeeded":  # it must have been: nothing is given back of anything else
        looking.stage(session, paid, "payment")
    if snapshot.state in STATES[row.state]:
        is_certain = is_fresh or _UNPAID.isdisjoint((row.state, snapshot.state))
        if is_certain or known is None:  # of its money, nothing had been counted
            _advance(session, order, paid, row, snapshot)
        if not is_certain:
            looking.stage(session, paid, "refunds")
    _tell(session, row)
    return row


def _known(
    session: Session, paid: Payment, snapshot: RefundSnapshot, key: str | None
) -> Refund | None:
    unnamed = Refund.provider_refund_id.is_(None)
    likenesses: list[tuple[ColumnElement[bool], ...]] = [
        (Refund.provider_refund_id == snapshot.provider_refund_id,)
    ]
    if key is not None:
        likenesses.append((Refund.provider_key == key, unnamed))
    if snapshot.marked_refund_id is not None:
        likenesses.append((Refund.id == snapshot.marked_refund_id, unnamed))
    for likeness in likenesses:
        found = session.scalar(
            select(Refund)
            .where(Refund.payment_id == paid.id, *likeness)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if found is not None:
            return found
    return None


def _adopt(session: Session, paid: Payment, snapshot: RefundSnapshot) -> Refund:
    """Take over a refund that was made at the provider, or that we have forgotten."""
    row = Refund(
        payment_id=paid.id,
        order_id=paid.order_id,
        provider=paid.provider,
        state="sent",
        origin="provider",
        amount_minor=snapshot.amount_minor,
        currency=snapshot.currency,
        reason=snapshot.reason,
        requested_by=paid.provider,
        sent_at=snapshot.created_at,
        provider_refund_id=snapshot.provider_refund_id,
    )
    session.add(row)
    session.flush()
    why = "made at the provider"
    journal.write(session, row, "refund.imported", None, "sent", who=paid.provider, why=why)
    return row


def _contradiction(row: Refund, snapshot: RefundSnapshot) -> str | None:
    if row.provider_refund_id not in (None, snapshot.provider_refund_id):
        return f"a second provider refund {snapshot.provider_refund_id} claims to be this one"
    if (snapshot.amount_minor, snapshot.currency) != (row.amount_minor, row.currency):
        return f"the provider has {snapshot.amount_minor} {snapshot.currency}"
    return None


def _advance(
    session: Session, order: Order, paid: Payment, row: Refund, snapshot: RefundSnapshot
) -> None:
    was = row.state
    is_final = snapshot.state != "pending"
    journal.move(
        session,
        row,
        STATES,
        snapshot.state,
        who=row.provider,
        why=snapshot.failure or "told by the provider",
        failure=snapshot.failure,
        raw_response=dict(snapshot.raw),
        ended_at=now() if is_final else None,
        **(looking.no_more() if is_final else looking.soon()),
    )
    if was in UNANSWERED and row.state in _ACCEPTED:
        _accepted(session, order, row)
    if row.state == "succeeded":
        paid.provider_refund_id = row.provider_refund_id
    count(session, order, paid)
    if row.state in _UNPAID:
        why = f"refund {row.id} {row.state}: {snapshot.failure or 'the provider does not say why'}"
        orders.flag_for_review(session, order, who=row.provider, why=why)


def _accepted(session: Session, order: Order, row: Refund) -> None:
    """The money is on its way: the goods come back, if staff said so, and the customer is told."""
    if row.restock:
        units = {int(item_id): quantity for item_id, quantity in row.restock.items()}
        restocking.put_back(session, order.id, units, who=row.requested_by)
    if row.origin != "provider":
        notification.stage(session, order.id, f"refund:{row.id}", order.email, refund_id=row.id)


def count(session: Session, order: Order, paid: Payment) -> None:
    """Bring the sums of payment and order up to date with the payment's refunds.

    News of a refund can come before news of its payment, which has all given back only once it
    is known what it brought.
    """
    session.flush()
    sums = refund.sums(session, paid.id)
    paid.refunded_minor = sums.succeeded
    is_whole = paid.state == "succeeded" and paid.refunded_minor >= paid.received_minor
    if is_whole != (paid.refunded_at is not None):
        paid.refunded_at = refund.last_end(session, paid.id) if is_whole else None
    if paid.settles:
        order.refunded_minor = paid.refunded_minor
        if order.stock_shortage and order.status == "refunded":
            shortage.end(session, order, who=paid.provider, why="all of its money went back")
        signal_after_commit(session, f"order:{order.id}")
    if paid.state == "succeeded" and sums.counted > paid.received_minor:
        why = f"more was given back of payment {paid.id} than it brought"
        orders.flag_for_review(session, order, who=paid.provider, why=why)


def _tell(session: Session, row: Refund) -> None:
    signal_after_commit(session, f"refund:{row.id}")
