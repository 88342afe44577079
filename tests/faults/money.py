"""Whether the provider's ledger and ours agree to the cent, both ways.

A person may have to look at some money: what is wrong with it is said on its order then, and
only that excuses a difference.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tests.faults.harness import Harness

_PAYMENTS = """
    SELECT provider_payment_id, received_minor, payment.currency
    FROM payment WHERE state = 'succeeded'"""
_REFUNDS = """
    SELECT refund.provider_refund_id, provider_payment_id, refund.amount_minor, refund.currency,
        refund.state
    FROM refund JOIN payment ON payment.id = payment_id
    WHERE refund.provider_refund_id IS NOT NULL"""
_SUMS = """
    SELECT payment.id, received_minor, settles, needs_review,
        coalesce(sum(refund.amount_minor) FILTER (
            WHERE refund.state NOT IN ('failed', 'cancelled')), 0)
    FROM payment JOIN orders ON orders.id = payment.order_id
    LEFT JOIN refund ON payment_id = payment.id
    WHERE payment.state = 'succeeded' GROUP BY payment.id, needs_review"""
_REVIEWED = """
    SELECT payment.id FROM payment JOIN orders ON orders.id = order_id WHERE needs_review"""
_DISPUTES = """
    SELECT provider_dispute_id, provider_payment_id, dispute.amount_minor, dispute.state
    FROM dispute JOIN payment ON payment.id = payment_id"""
_OURS = {"canceled": "cancelled"}


def broken(product: Harness) -> Iterator[str]:
    """Every cent that is not where it must be."""
    yield from _charges(product)
    yield from _refunds(product)
    yield from _sums(product)
    yield from _disputes(product)


def _charges(product: Harness) -> Iterator[str]:
    ledger = product.ledger
    payments = {
        intent["id"]: intent["metadata"].get("payment_id") for intent in ledger["payment_intents"]
    }
    reviewed = {str(payment_id) for (payment_id,) in product.sql(_REVIEWED)}
    theirs = [
        (charge["payment_intent"], charge["amount_captured"], charge["currency"].upper())
        for charge in ledger["charges"]
        if charge["status"] == "succeeded" and charge["captured"]
    ]
    ours = product.sql(_PAYMENTS)
    unbooked = Counter(theirs) - Counter(ours)
    yield from (
        f"charged but not booked: {charge}"
        for charge in unbooked
        if payments[charge[0]] not in reviewed
    )
    yield from (f"booked but not charged: {payment}" for payment in Counter(ours) - Counter(theirs))
    yield from (
        f"payment {payment_id} was opened more than once"
        for payment_id in _twice(filter(None, payments.values()))
    )


def _refunds(product: Harness) -> Iterator[str]:
    there = product.ledger["refunds"]
    theirs = Counter(
        (
            refund["id"],
            refund["payment_intent"],
            refund["amount"],
            refund["currency"].upper(),
            _OURS.get(refund["status"], refund["status"]),
        )
        for refund in there
    )
    ours = Counter(product.sql(_REFUNDS))
    yield from (f"given back but not booked: {refund}" for refund in theirs - ours)
    yield from (f"booked but not given back: {refund}" for refund in ours - theirs)
    marks = (refund["metadata"].get("refund_id") for refund in there)
    yield from (f"refund {mark} was made more than once" for mark in _twice(filter(None, marks)))


def _sums(product: Harness) -> Iterator[str]:
    for payment_id, received, settles, needs_review, refunded in product.sql(_SUMS):
        if refunded > received:
            yield f"of payment {payment_id} more goes back than it brought"
        if not (settles or needs_review or refunded == received):
            yield f"payment {payment_id} was not wanted, and {received - refunded} were kept"


def _disputes(product: Harness) -> Iterator[str]:
    theirs = Counter(
        (
            dispute["id"],
            dispute["payment_intent"],
            dispute["amount"],
            dispute["status"] if dispute["status"] in ("won", "lost") else "open",
        )
        for dispute in product.listed("disputes")
    )
    ours = Counter(product.sql(_DISPUTES))
    if theirs != ours:
        yield f"disputes there: {theirs - ours}; here: {ours - theirs}"


def _twice(marks: Iterable[Any]) -> list[Any]:
    return [mark for mark, times in Counter(marks).items() if times > 1]
