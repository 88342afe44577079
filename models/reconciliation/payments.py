"""A provider's payments and ours: which are unknown, doubled, of another amount, or ahead of us."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from models.audit.check import Promise
from models.intents import ListedPayment, PaymentRequest, PaymentSnapshot
from models.money import decimal_string
from models.payment import FINAL, STATES, Payment
from models.reconciliation.difference import (
    AMOUNT_AGREES,
    IS_LISTED,
    IS_OPENED_ONCE,
    IS_OURS,
    SLACK,
    STATE_AGREES,
    Difference,
    Remedy,
)

PROMISES = (IS_OURS, IS_OPENED_ONCE, AMOUNT_AGREES, STATE_AGREES, IS_LISTED)

# Of what was asked for alone it is not told when it was made.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def compare(
    session: Session, provider: str, listed: Sequence[ListedPayment], read_after: datetime
) -> list[Difference]:
    """What the provider lists and we have otherwise, or not at all.

    A list tells nothing of the state of payments that have ended since it was read.
    """
    ids = {theirs.payment_id for theirs in listed}
    ours = session.scalars(
        select(Payment)
        .where(Payment.id.in_(ids), Payment.provider == provider)
        .execution_options(populate_existing=True)
    )
    known = {payment.id: payment for payment in ours}
    judged = (
        _judge(session, provider, known.get(theirs.payment_id), theirs, read_after)
        for theirs in listed
    )
    return [difference for difference in judged if difference is not None]


def _judge(
    session: Session,
    provider: str,
    ours: Payment | None,
    theirs: ListedPayment,
    read_after: datetime,
) -> Difference | None:
    if ours is None:
        is_surely_ours = _knew_payments_before(session, provider, theirs.created_at)
        return _stray(provider, None, theirs, IS_OURS, may_close=is_surely_ours)
    if ours.provider_payment_id not in (None, theirs.provider_payment_id):
        return _stray(provider, ours, theirs, IS_OPENED_ONCE, may_close=True)
    return _other_amount(ours, theirs) or _other_state(ours, theirs, read_after)


def _stray(
    provider: str,
    ours: Payment | None,
    theirs: ListedPayment,
    promise: Promise,
    *,
    may_close: bool,
) -> Difference | None:
    """A payment that no row of ours is about: it must not take money, or has taken some."""
    if theirs.state == "cancelled":
        return None
    is_paid = theirs.state == "succeeded"
    what = "not known here" if ours is None else f"not {ours.provider_payment_id} of this payment"
    return Difference(
        promise=promise,
        remedy="close" if may_close and not is_paid else "person",
        provider=provider,
        reference=theirs.provider_payment_id,
        payment_id=theirs.payment_id,
        row_id=ours.id if ours else None,
        order_id=ours.order_id if ours else None,
        amount_minor=theirs.received_minor if is_paid else theirs.amount_minor,
        currency=theirs.currency,
        said=f"{theirs.state}, and {what}",
        holds_money=is_paid,
    )


def _knew_payments_before(session: Session, provider: str, moment: datetime) -> bool:
    """Whether this database is older than that: a new one by mistake must close nothing."""
    older = (
        select(Payment.id)
        .where(
            Payment.provider == provider,
            Payment.provider_payment_id.is_not(None),
            Payment.sent_at < moment,
        )
        .limit(1)
    )
    return session.scalar(older) is not None


def _other_amount(ours: Payment, theirs: ListedPayment) -> Difference | None:
    taken = theirs.received_minor if theirs.state == "succeeded" else theirs.amount_minor
    wanted = (ours.amount_minor, ours.amount_minor, ours.currency)
    if (taken, theirs.amount_minor, theirs.currency) == wanted:
        return None
    there, here = _money(taken, theirs.currency), _money(ours.amount_minor, ours.currency)
    return _about(ours, theirs, AMOUNT_AGREES, "person", f"{there} there, {here} here")


def _other_state(ours: Payment, theirs: ListedPayment, read_after: datetime) -> Difference | None:
    has_just_ended = ours.ended_at is not None and ours.ended_at >= read_after - SLACK
    is_same = ours.state == theirs.state or (_is_unpaid(ours.state) and _is_unpaid(theirs.state))
    if is_same or has_just_ended or ours.state == "created":
        return None
    said = f"{theirs.state} there, {ours.state} here"
    return _about(ours, theirs, STATE_AGREES, _remedy(ours, theirs), said)


def _remedy(ours: Payment, theirs: ListedPayment) -> Remedy:
    if theirs.state in STATES[ours.state]:
        return "look"
    return "close" if _is_unpaid(ours.state) else "person"


def _is_unpaid(state: str) -> bool:
    return state in FINAL and state != "succeeded"


def _about(
    ours: Payment, theirs: ListedPayment, promise: Promise, remedy: Remedy, said: str
) -> Difference:
    return Difference(
        promise=promise,
        remedy=remedy,
        provider=ours.provider,
        reference=theirs.provider_payment_id,
        payment_id=ours.id,
        row_id=ours.id,
        order_id=ours.order_id,
        amount_minor=ours.amount_minor,
        currency=ours.currency,
        said=said,
    )


def unlisted(
    session: Session, provider: str, listed: Collection[str], since: datetime, until: datetime
) -> list[Difference]:
    """Our named payments that were sent in this time and are not `listed`, as far as is known.

    By ix_payment_sent_at.
    """
    rows = session.scalars(
        select(Payment)
        .where(
            Payment.provider == provider,
            Payment.provider_payment_id.is_not(None),
            Payment.sent_at.between(since, until),
        )
        .order_by(Payment.sent_at)
        .options(defer(Payment.raw_response))
    )
    return [_missing(row) for row in rows if row.provider_payment_id not in listed]


def _missing(row: Payment) -> Difference:
    return Difference(
        promise=IS_LISTED,
        remedy="person",
        provider=row.provider,
        reference=row.provider_payment_id or "",
        payment_id=row.id,
        row_id=row.id,
        order_id=row.order_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        said=f"{row.state} here, and the provider does not know it",
    )


def by_reference(provider: str, reference: str, payment_id: int) -> PaymentRequest:
    """What looks at a payment, or closes it, by its id at the provider alone."""
    return PaymentRequest(
        payment_id=payment_id,
        order_id=0,
        order_number="",
        provider=provider,
        provider_payment_id=reference,
        amount_minor=0,
        currency="",
        key="",
        age=timedelta(0),
    )


def as_listed(payment_id: int, snapshot: PaymentSnapshot) -> ListedPayment:
    """A payment that was looked at by itself, as a list would have shown it."""
    return ListedPayment(
        payment_id=payment_id,
        provider_payment_id=snapshot.provider_payment_id,
        created_at=_LONG_AGO,
        state=snapshot.state,
        amount_minor=snapshot.amount_minor,
        received_minor=snapshot.received_minor,
        currency=snapshot.currency,
    )


def _money(minor: int, currency: str) -> str:
    return f"{decimal_string(minor, currency)} {currency}"
