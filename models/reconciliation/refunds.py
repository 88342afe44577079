"""A provider's refunds and disputes, and ours: those made there, and what we were not told of."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Index, select
from sqlalchemy.orm import Session, defer

from models import dispute
from models.audit.check import Promise
from models.intents import DisputeSnapshot, RefundSnapshot
from models.money import decimal_string
from models.payment import Payment
from models.reconciliation.difference import (
    DISPUTE_AGREES,
    REFUND_AMOUNT_AGREES,
    REFUND_IS_KNOWN,
    REFUND_IS_LISTED,
    REFUND_STATE_AGREES,
    SLACK,
    Difference,
    Remedy,
)
from models.refund import STATES, Refund

PROMISES = (REFUND_AMOUNT_AGREES, REFUND_STATE_AGREES, REFUND_IS_LISTED)

Index("ix_refund_sent_at", Refund.sent_at)

_UNPAID = frozenset({"failed", "cancelled"})


class Known(NamedTuple):
    """Our rows that a part of a list may be about."""

    payments: Mapping[str, Payment]
    """By their id at the provider."""
    refunds: Mapping[str | int, Refund]
    """By their id at the provider, and by our own as long as they have none there."""

    def row_of(self, theirs: RefundSnapshot) -> Refund | None:
        """Our refund that this is, by its name or by our mark."""
        row = self.refunds.get(theirs.provider_refund_id)
        if row is None and theirs.marked_refund_id is not None:
            row = self.refunds.get(theirs.marked_refund_id)
        return row


def compare(
    session: Session, provider: str, listed: Sequence[RefundSnapshot], read_after: datetime
) -> list[Difference]:
    """What the provider lists of payments of ours, and we have otherwise or not at all.

    A list tells nothing of the state of refunds that have ended since it was read.
    """
    known = _known(session, provider, listed)
    judged = (
        _judge(known.row_of(theirs), paid, theirs, read_after)
        for theirs in listed
        if (paid := known.payments.get(theirs.provider_payment_id or "")) is not None
    )
    return [difference for difference in judged if difference is not None]


def _known(session: Session, provider: str, listed: Sequence[RefundSnapshot]) -> Known:
    names = [theirs.provider_refund_id for theirs in listed]
    marks = [theirs.marked_refund_id for theirs in listed if theirs.marked_refund_id is not None]
    rows = [
        *session.scalars(
            select(Refund)
            .where(Refund.provider == provider, Refund.provider_refund_id.in_(names))
            .execution_options(populate_existing=True)
        ),
        *session.scalars(
            select(Refund)
            .where(Refund.id.in_(marks), Refund.provider_refund_id.is_(None))
            .execution_options(populate_existing=True)
        ),
    ]
    return Known(
        payments_of(session, provider, [theirs.provider_payment_id for theirs in listed]),
        {row.provider_refund_id or row.id: row for row in rows},
    )


def payments_of(
    session: Session, provider: str, names: Collection[str | None]
) -> dict[str, Payment]:
    """Our payments of these ids at the provider."""
    rows = session.scalars(
        select(Payment).where(Payment.provider == provider, Payment.provider_payment_id.in_(names))
    )
    return {row.provider_payment_id or "": row for row in rows}


def _judge(
    ours: Refund | None, paid: Payment, theirs: RefundSnapshot, read_after: datetime
) -> Difference | None:
    if ours is None:
        return _unknown(paid, theirs)
    if (theirs.amount_minor, theirs.currency) != (ours.amount_minor, ours.currency):
        there = f"{decimal_string(theirs.amount_minor, theirs.currency)} {theirs.currency}"
        here = f"{decimal_string(ours.amount_minor, ours.currency)} {ours.currency}"
        said = f"{there} there, {here} here"
        return _about(paid, theirs, REFUND_AMOUNT_AGREES, "person", said, ours=ours)
    has_just_ended = ours.ended_at is not None and ours.ended_at >= read_after - SLACK
    is_same = ours.state == theirs.state or {ours.state, theirs.state} <= _UNPAID
    if has_just_ended or ours.state == "requested":
        return None
    if is_same and ours.provider_refund_id is None:  # refused, they said, and had made it
        said = f"{theirs.state}, and its name is not known here"
        return _about(paid, theirs, REFUND_IS_KNOWN, "book", said, ours=ours)
    if is_same:
        return None
    said = f"{theirs.state} there, {ours.state} here"
    return _about(paid, theirs, REFUND_STATE_AGREES, _remedy(ours, theirs), said, ours=ours)


def _unknown(paid: Payment, theirs: RefundSnapshot) -> Difference:
    """Made at the provider; if we were not even told that it was paid, that is looked at first."""
    remedy: Remedy = "book" if paid.state == "succeeded" else "look"
    said = f"{theirs.state}, and not known here"
    return _about(paid, theirs, REFUND_IS_KNOWN, remedy, said)


def _remedy(ours: Refund, theirs: RefundSnapshot) -> Remedy:
    if theirs.state not in STATES[ours.state]:
        return "person"
    return "look" if ours.state in _UNPAID else "book"


def _about(
    paid: Payment,
    theirs: RefundSnapshot,
    promise: Promise,
    remedy: Remedy,
    said: str,
    *,
    ours: Refund | None = None,
) -> Difference:
    return Difference(
        promise=promise,
        remedy=remedy,
        provider=paid.provider,
        reference=theirs.provider_refund_id,
        payment_id=paid.id,
        row_id=ours.id if ours else None,
        order_id=paid.order_id,
        amount_minor=theirs.amount_minor,
        currency=theirs.currency,
        said=said,
        look="refunds" if paid.state == "succeeded" else "payment",
        snapshot=theirs,
    )


def unlisted(
    session: Session, provider: str, listed: Collection[str], since: datetime, until: datetime
) -> list[Difference]:
    """Our named refunds that were sent in this time and are not `listed`, as far as is known.

    By ix_refund_sent_at.
    """
    rows = session.scalars(
        select(Refund)
        .where(
            Refund.provider == provider,
            Refund.provider_refund_id.is_not(None),
            Refund.sent_at.between(since, until),
        )
        .order_by(Refund.sent_at)
        .options(defer(Refund.raw_response))
    )
    return [_missing(row) for row in rows if row.provider_refund_id not in listed]


def _missing(row: Refund) -> Difference:
    return Difference(
        promise=REFUND_IS_LISTED,
        remedy="person",
        provider=row.provider,
        reference=row.provider_refund_id or "",
        payment_id=row.payment_id,
        row_id=row.id,
        order_id=row.order_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        said=f"{row.state} here, and the provider does not know it",
    )


def compare_disputes(
    session: Session, provider: str, listed: Sequence[DisputeSnapshot], _read_after: datetime
) -> list[Difference]:
    """Disputes about payments of ours that stand otherwise than we know.

    Only a fresh look is believed about them, so it does not matter how old the list is.
    """
    names = [theirs.provider_payment_id for theirs in listed]
    paid = payments_of(session, provider, names)
    return [
        _news(paid[theirs.provider_payment_id or ""], theirs)
        for theirs in listed
        if theirs.provider_payment_id in paid and dispute.is_news(session, provider, theirs)
    ]


def _news(paid: Payment, theirs: DisputeSnapshot) -> Difference:
    return Difference(
        promise=DISPUTE_AGREES,
        remedy="look",
        provider=paid.provider,
        reference=theirs.provider_dispute_id,
        payment_id=paid.id,
        row_id=None,
        order_id=paid.order_id,
        amount_minor=theirs.amount_minor,
        currency=theirs.currency,
        said=f"{theirs.status} there, and not so here",
        look="disputes",
    )
