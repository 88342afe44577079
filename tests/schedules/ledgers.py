"""The providers' ledgers beside ours: to the cent, both ways."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from tests.schedules.provider import Books, TheirPayment

_PAYMENTS = text("""
    SELECT payment.id, payment.state, provider_payment_id, received_minor, payment.refunded_minor,
        refunded_at, settles, orders.state AS order_state, needs_review
    FROM payment JOIN orders ON orders.id = order_id ORDER BY payment.id""")
_REFUNDS = text("""
    SELECT refund.id, refund.state, provider_refund_id, amount_minor, needs_review
    FROM refund JOIN orders ON orders.id = order_id ORDER BY refund.id""")
# What a provider must have borne out before we say it, and what it may have by then.
_BORNE_OUT = ("succeeded", "cancelled")
_REFUND_ENDS = {
    "pending": {"pending", "succeeded", "failed"},
    "succeeded": {"succeeded", "failed"},
    "failed": {"failed"},
}
_ENDED = ("succeeded", "cancelled", "failed")


def impossible(session: Session, books: Books) -> Iterator[str]:
    """What can be said of no moment: doubles, too much given back, ends that are not there."""
    yield from _doubles(books)
    yield from _given_back_twice(books)
    payments = {each.id: each for each in books.payments}
    for row in session.execute(_PAYMENTS):
        paid = payments.get(row.provider_payment_id)
        if paid is not None and row.state in _BORNE_OUT and row.state not in paid.ends:
            yield f"payment {row.id} is {row.state}, at the provider {paid.status}"
    refunds = {each.id: each for each in books.refunds}
    for row in session.execute(_REFUNDS):
        given = refunds.get(row.provider_refund_id)
        if given is not None and given.status not in _REFUND_ENDS.get(row.state, {given.status}):
            yield f"refund {row.id} is {row.state}, at the provider {given.status}"


def _doubles(books: Books) -> Iterator[str]:
    marks = [("payment", each.payment_id) for each in books.payments if not each.is_spare]
    marks += [("refund", each.refund_id) for each in books.refunds if each.refund_id is not None]
    for (kind, mark), times in Counter(marks).items():
        if times > 1:
            yield f"{kind} {mark} stands for {times} {kind}s of the provider"


def _given_back_twice(books: Books) -> Iterator[str]:
    back: dict[str, int] = defaultdict(int)
    for refund in books.refunds:
        back[refund.charge] += refund.amount_minor if refund.status != "failed" else 0
    for charge in books.charges:
        if back[charge.id] > charge.amount_minor:
            yield f"{back[charge.id]} given back of {charge.amount_minor}"


def disagreements(session: Session, books: Books) -> Iterator[str]:
    """What one side has and the other has not, once all is told."""
    yield from _of_payments(session.execute(_PAYMENTS).all(), books)
    yield from _of_refunds(session.execute(_REFUNDS).all(), books)


def _of_payments(rows: Sequence[Row[Any]], books: Books) -> Iterator[str]:
    by_id = {row.provider_payment_id: row for row in rows}
    by_mark = {row.id: row for row in rows}
    for paid in books.payments:
        row = by_id.pop(paid.id, None)
        if row is None:
            row, is_over = by_mark[paid.payment_id], paid.is_spare or paid.status == "cancelled"
            if not is_over and not row.needs_review:
                yield f"payment {row.id} does not know its {paid.status} one at {paid.provider}"
        elif not _agree(row, paid) and not row.needs_review:
            yield f"payment {row.id} is {row.state}, at the provider {paid.status}"
        elif row.state == "succeeded":
            yield from _of_money(row, paid)
    for row in by_id.values():
        if row.provider_payment_id is not None or row.received_minor:
            yield f"payment {row.id} has {row.provider_payment_id}, which the provider has not"


def _agree(row: Row[Any], paid: TheirPayment) -> bool:
    """Whether both ends are one."""
    is_paid_in_vain = row.state == "failed" and row.received_minor
    return row.state in paid.ends and not is_paid_in_vain


def _of_money(row: Row[Any], paid: TheirPayment) -> Iterator[str]:
    if row.received_minor != paid.received_minor:
        yield f"payment {row.id} got {row.received_minor}, provider {paid.received_minor}"
    is_whole = row.refunded_minor == row.received_minor and row.refunded_at is not None
    if not (row.settles or is_whole or row.needs_review):
        yield f"payment {row.id} holds money for nothing: its order is {row.order_state}"


def _of_refunds(rows: Sequence[Row[Any]], books: Books) -> Iterator[str]:
    ours = {row.provider_refund_id: row for row in rows if row.provider_refund_id}
    for given in books.refunds:
        row = ours.pop(given.id, None)
        if row is None:
            yield f"{given.status} refund {given.id} of {given.amount_minor} is not known"
        elif given.status not in _ENDED or (row.state, row.amount_minor) != (
            given.status,
            given.amount_minor,
        ):
            yield (
                f"refund {row.id} of {row.amount_minor} is {row.state},"
                f" at the provider {given.status} of {given.amount_minor}"
            )
    for row in ours.values():
        yield f"refund {row.id} has {row.provider_refund_id}, which the provider has not"
    for row in rows:
        is_made = row.state in ("pending", "succeeded")
        if is_made and row.provider_refund_id is None:
            yield f"refund {row.id} is {row.state} without a name at the provider"
