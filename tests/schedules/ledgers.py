"""The provider's ledger beside ours: to the cent, both ways."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

Ledger = Mapping[str, Sequence[Mapping[str, Any]]]

_PAYMENTS = text("""
    SELECT payment.id, payment.state, provider_payment_id, received_minor, payment.refunded_minor,
        refunded_at, settles, orders.state AS order_state, needs_review
    FROM payment JOIN orders ON orders.id = order_id ORDER BY payment.id""")
_REFUNDS = text("""
    SELECT refund.id, refund.state, provider_refund_id, amount_minor, needs_review
    FROM refund JOIN orders ON orders.id = order_id ORDER BY refund.id""")
# What the provider may have by then, for a state of ours.
_PAYMENT_ENDS = {"succeeded": {"succeeded"}, "cancelled": {"canceled"}}
_REFUND_ENDS = {
    "pending": {"pending", "succeeded", "failed"},
    "succeeded": {"succeeded", "failed"},
    "failed": {"failed"},
}
_ENDED = {"succeeded": "succeeded", "canceled": "cancelled", "failed": "failed"}


def impossible(session: Session, ledger: Ledger) -> Iterator[str]:
    """What can be said of no moment: doubles, too much given back, ends that are not there."""
    yield from _doubles(ledger)
    yield from _given_back_twice(ledger)
    intents = {each["id"]: each for each in ledger["payment_intents"]}
    for row in session.execute(_PAYMENTS):
        theirs = intents.get(row.provider_payment_id)
        if theirs is not None and not _may_be(row.state, theirs, _PAYMENT_ENDS):
            yield f"payment {row.id} is {row.state}, at the provider {theirs['status']}"
    refunds = {each["id"]: each for each in ledger["refunds"]}
    for row in session.execute(_REFUNDS):
        theirs = refunds.get(row.provider_refund_id)
        if theirs is not None and not _may_be(row.state, theirs, _REFUND_ENDS):
            yield f"refund {row.id} is {row.state}, at the provider {theirs['status']}"


def _may_be(state: str, theirs: Mapping[str, Any], ends: Mapping[str, set[str]]) -> bool:
    return theirs["status"] in ends.get(state, {theirs["status"]})


def _doubles(ledger: Ledger) -> Iterator[str]:
    for kind, mark in (("payment_intents", "payment_id"), ("refunds", "refund_id")):
        marks = Counter(each["metadata"].get(mark) for each in ledger[kind])
        for number, times in marks.items():
            if number is not None and times > 1:
                yield f"{mark} {number} stands for {times} {kind} of the provider"


def _given_back_twice(ledger: Ledger) -> Iterator[str]:
    back: dict[str, int] = defaultdict(int)
    for refund in ledger["refunds"]:
        back[refund["charge"]] += refund["amount"] if refund["status"] != "failed" else 0
    for charge in ledger["charges"]:
        if back[charge["id"]] > charge["amount_captured"]:
            yield f"{back[charge['id']]} given back of {charge['amount_captured']}"


def disagreements(session: Session, ledger: Ledger) -> Iterator[str]:
    """What one side has and the other has not, once all is told."""
    yield from _of_payments(session.execute(_PAYMENTS).all(), ledger)
    yield from _of_refunds(session.execute(_REFUNDS).all(), ledger)


def _of_payments(rows: Sequence[Row[Any]], ledger: Ledger) -> Iterator[str]:
    by_id = {row.provider_payment_id: row for row in rows}
    by_mark = {str(row.id): row for row in rows}
    for intent in ledger["payment_intents"]:
        row = by_id.pop(intent["id"], None)
        if row is None:
            row = by_mark[intent["metadata"]["payment_id"]]
            if intent["status"] != "canceled" and not row.needs_review:
                yield f"payment {row.id} does not know its {intent['status']} intent"
        elif not _agree(row, intent) and not row.needs_review:
            yield f"payment {row.id} is {row.state}, at the provider {intent['status']}"
        elif row.state == "succeeded":
            yield from _of_money(row, intent)
    for row in by_id.values():
        if row.provider_payment_id is not None or row.received_minor:
            yield f"payment {row.id} has {row.provider_payment_id}, which the provider has not"


def _agree(row: Row[Any], intent: Mapping[str, Any]) -> bool:
    """Whether both ends are one.

    An intent has no end called failed: what was opened although the call was refused must have
    been closed again, and nobody may have been given money by it.
    """
    if row.state == "failed":
        no_money = not (row.received_minor or intent["amount_received"])
        return intent["status"] == "canceled" and no_money
    return bool(row.state == _ENDED.get(intent["status"]))


def _of_money(row: Row[Any], intent: Mapping[str, Any]) -> Iterator[str]:
    if row.received_minor != intent["amount_received"]:
        yield f"payment {row.id} got {row.received_minor}, provider {intent['amount_received']}"
    is_whole = row.refunded_minor == row.received_minor and row.refunded_at is not None
    if not (row.settles or is_whole or row.needs_review):
        yield f"payment {row.id} holds money for nothing: its order is {row.order_state}"


def _of_refunds(rows: Sequence[Row[Any]], ledger: Ledger) -> Iterator[str]:
    ours = {row.provider_refund_id: row for row in rows if row.provider_refund_id}
    for theirs in ledger["refunds"]:
        row = ours.pop(theirs["id"], None)
        if row is None:
            yield f"{theirs['status']} refund {theirs['id']} of {theirs['amount']} is not known"
        elif (row.state, row.amount_minor) != (_ENDED.get(theirs["status"]), theirs["amount"]):
            yield (
                f"refund {row.id} of {row.amount_minor} is {row.state},"
                f" at the provider {theirs['status']} of {theirs['amount']}"
            )
    for row in ours.values():
        yield f"refund {row.id} has {row.provider_refund_id}, which the provider has not"
    for row in rows:
        is_made = row.state in ("pending", "succeeded")
        if is_made and row.provider_refund_id is None:
            yield f"refund {row.id} is {row.state} without a name at the provider"
