"""Each state of an order is explained: where it stands, what follows, what a person can do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import orders, payment, refund, standing
from models.dispute import Dispute
from models.job import Job
from models.orders import Order
from models.payment import Payment
from models.refund import Refund
from models.standing import Facts
from models.standing_words import Mood

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOON, LATER, BEFORE = (NOW + timedelta(minutes=minutes) for minutes in (1, 10, -1))


def order(**changes: Any) -> Order:
    row = {
        "id": 7,
        "state": "pending",
        "fulfilment": "none",
        "total_minor": 1000,
        "refunded_minor": 0,
        "stock_shortage": False,
        "needs_review": False,
        "disputed": False,
        "expires_at": LATER,
    }
    return Order(**{**row, **changes})


def paying(state: str, **changes: Any) -> Payment:
    return Payment(id=1, state=state, **{"look_at": SOON, **changes})


CLOSE = Job(kind="payments.close", state="ready", run_at=SOON)
DEAD = Job(kind="webhooks.apply", state="dead", run_at=BEFORE, last_error="it broke")
DISPUTE = Dispute(state="open", reason="fraudulent", due_by=LATER)

CASES: dict[str, tuple[Facts, Mood, str, datetime | None]] = {
    "dead job": (Facts(order=order(), now=NOW, jobs=[DEAD]), "person", "it broke", None),
    "review": (
        Facts(order=order(needs_review=True), now=NOW, review="3000 EUR"),
        "person",
        "3000 EUR",
        None,
    ),
    "shortage": (
        Facts(order=order(state="paid", stock_shortage=True), now=NOW),
        "person",
        "goods were gone",
        None,
    ),
    "dispute": (
        Facts(order=order(state="paid", disputed=True), now=NOW, disputes=[DISPUTE]),
        "person",
        "fraudulent",
        LATER,
    ),
    "lost dispute": (
        Facts(order=order(state="paid", disputed=True), now=NOW),
        "over",
        "lost",
        None,
    ),
    "closing": (
        Facts(order=order(closing="expired"), now=NOW, jobs=[CLOSE]),
        "works",
        "to end expired",
        SOON,
    ),
    "created": (
        Facts(order=order(), now=NOW, payments=[paying("created")]),
        "works",
        "staged",
        SOON,
    ),
    "sent": (Facts(order=order(), now=NOW, payments=[paying("sent")]), "works", "asked", SOON),
    "unknown": (Facts(order=order(), now=NOW, payments=[paying("unknown")]), "works", "lost", SOON),
    "open": (Facts(order=order(), now=NOW, payments=[paying("open")]), "waits", "not paid", LATER),
    "requires action": (
        Facts(order=order(), now=NOW, payments=[paying("requires_action")]),
        "waits",
        "confirm",
        SOON,
    ),
    "processing": (
        Facts(order=order(expires_at=BEFORE), now=NOW, payments=[paying("processing")]),
        "works",
        "on its way",
        SOON,
    ),
    "authorised": (
        Facts(order=order(), now=NOW, payments=[paying("authorised", capture_before=LATER)]),
        "person",
        "reserved",
        LATER,
    ),
    "overdue": (
        Facts(order=order(expires_at=BEFORE), now=NOW, payments=[paying("open")]),
        "works",
        "time to pay is over",
        BEFORE,
    ),
    "unpaid": (Facts(order=order(), now=NOW), "waits", "not begun to pay", LATER),
    "declined for good": (
        Facts(order=order(), now=NOW, payments=[paying("failed")]),
        "waits",
        "not begun to pay",
        LATER,
    ),
    "paid": (Facts(order=order(state="paid"), now=NOW), "ready", "ready to be shipped", None),
    "shipped": (
        Facts(order=order(state="paid", fulfilment="shipped"), now=NOW),
        "over",
        "on their way",
        None,
    ),
    "delivered": (
        Facts(order=order(state="paid", fulfilment="delivered"), now=NOW),
        "over",
        "arrived",
        None,
    ),
    "part refunded": (
        Facts(order=order(state="paid", refunded_minor=1), now=NOW),
        "over",
        "A part",
        None,
    ),
    "refunded": (
        Facts(order=order(state="paid", refunded_minor=1000), now=NOW),
        "over",
        "All of the money",
        None,
    ),
    "expired": (Facts(order=order(state="expired"), now=NOW), "over", "not paid in time", None),
    "cancelled": (Facts(order=order(state="cancelled"), now=NOW), "over", "cancelled", None),
}


@pytest.mark.parametrize("name", CASES)
def test_an_order_says_where_it_stands_and_when_what_follows(name: str) -> None:
    facts, mood, words, at = CASES[name]

    said = standing.explain(facts)

    assert (said.mood, said.at) == (mood, at)
    assert words in said.state
    assert said.next


@pytest.mark.parametrize("state", sorted(refund.LIVE))
def test_a_refund_under_way_is_told_with_when_it_is_asked_about(state: str) -> None:
    row = Refund(state=state, look_at=SOON)
    said = standing.explain(Facts(order=order(state="paid"), now=NOW, refunds=[row]))

    assert (said.mood, said.at) == ("works", SOON)


@pytest.mark.parametrize("state", sorted(payment.LIVE))
@pytest.mark.parametrize("expires_at", [BEFORE, LATER])
def test_no_state_of_a_payment_is_left_without_words(state: str, expires_at: datetime) -> None:
    facts = Facts(order=order(expires_at=expires_at), now=NOW, payments=[paying(state)])
    assert standing.explain(facts).state


def test_no_state_of_an_order_is_left_without_words() -> None:
    for state in orders.STATES:
        for flag in ("needs_review", "stock_shortage", "disputed", ""):
            row = order(state=state, **({flag: True} if flag else {}))
            assert standing.explain(Facts(order=row, now=NOW)).state


def test_what_keeps_all_else_from_happening_is_said_first() -> None:
    facts = Facts(order=order(needs_review=True, closing="expired"), now=NOW, jobs=[DEAD, CLOSE])
    assert "given up" in standing.explain(facts).state
