"""Stripe's objects in our words: every status, every amount."""

from datetime import UTC, datetime
from typing import Any

import pytest

from providers import stripe_money, stripe_objects
from providers.base import Rejected
from tests.providers.stripe_examples import INTENT, examples, statuses
from tests.stripe_spec import needs_spec

REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 1000,
    "created": 1780300800,
    "currency": "eur",
    "status": "succeeded",
}


def dispute(**changes: Any) -> dict[str, Any]:
    subject: dict[str, Any] = examples()["charge.dispute.created"]["data"]["object"]
    return subject | changes


@needs_spec
def test_every_status_that_stripe_documents_has_its_word_here() -> None:
    states = {
        status: stripe_objects.payment(INTENT | {"status": status}).state
        for status in statuses("payment_intent")
    }
    assert states == {
        "requires_payment_method": "open",
        "requires_confirmation": "open",
        "requires_action": "requires_action",
        "processing": "processing",
        "requires_capture": "authorised",
        "succeeded": "succeeded",
        "canceled": "cancelled",
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("canceled", "cancelled"),
    ],
)
def test_every_status_of_a_refund_has_its_word_here(status: str, state: str) -> None:
    assert stripe_objects.refund(REFUND | {"status": status}, "orders-test").state == state


@needs_spec
def test_a_dispute_is_open_unless_stripe_says_how_it_ended() -> None:
    words = [*statuses("dispute"), "appeal_needs_response", "brand_new"]
    states = {status: stripe_objects.dispute(dispute(status=status)).state for status in words}
    ended = {status: state for status, state in states.items() if state != "open"}
    assert ended == {
        "won": "won",
        "lost": "lost",
        "warning_closed": "closed",
        "prevented": "closed",
    }


@needs_spec
def test_a_dispute_that_nobody_need_answer_has_no_time_for_it() -> None:
    assert stripe_objects.dispute(dispute(evidence_details={"due_by": None})).due_by is None


@pytest.mark.parametrize("status", ["of_tomorrow", None])
def test_what_has_a_status_of_tomorrow_has_not_ended(status: str | None) -> None:
    paid = stripe_objects.payment(INTENT | {"status": status})
    given_back = stripe_objects.refund(REFUND | {"status": status}, "orders-test")
    assert (paid.state, given_back.state) == ("processing", "pending")


@pytest.mark.parametrize(
    ("status", "charge", "until"),
    [
        ("requires_capture", {"card": {"capture_before": 1780300800}}, 1780300800),
        ("requires_capture", {"card": {}}, None),
        ("requires_capture", {"klarna": {}, "type": "klarna"}, None),
        ("requires_capture", None, None),
        ("succeeded", {"card": {"capture_before": 1780300800}}, None),
    ],
)
def test_reserved_money_has_a_time_to_capture_it_if_its_charge_says_so(
    status: str, charge: Any, until: int | None
) -> None:
    intent = INTENT | {"status": status, "latest_charge": {"payment_method_details": charge}}
    expected = datetime.fromtimestamp(until, UTC) if until else None
    assert stripe_objects.payment(intent).capture_before == expected
    assert stripe_objects.payment(intent | {"latest_charge": "ch_1"}).capture_before is None


@pytest.mark.parametrize(
    ("currency", "minor", "sent"),
    [
        ("EUR", 1999, 1999),
        ("JPY", 500, 500),
        ("KWD", 1500, 1500),
        ("ISK", 1500, 150000),
        ("UGX", 5000, 500000),
        ("MGA", 500000, 5000),
    ],
)
def test_an_amount_is_written_in_stripes_units_and_read_back_in_ours(
    currency: str, minor: int, sent: int
) -> None:
    assert stripe_money.to_stripe(minor, currency) == sent
    assert stripe_money.from_stripe(sent, currency) == minor
    refund = stripe_objects.refund(
        REFUND | {"amount": sent, "currency": currency.lower()}, "orders-test"
    )
    assert (refund.amount_minor, refund.currency) == (minor, currency)


@pytest.mark.parametrize("currency", stripe_money.PECULIAR)
def test_what_is_chargeable_can_be_said_in_stripes_units_and_goes_up_to_eight_digits(
    currency: str,
) -> None:
    amounts = stripe_money.chargeable(currency)

    for minor in (amounts[0], amounts[1], amounts[-2], amounts[-1]):
        sent = stripe_money.to_stripe(minor, currency)
        assert sent % stripe_money.PECULIAR[currency].step == 0
        assert sent <= stripe_money.MOST
        assert stripe_money.from_stripe(sent, currency) == minor
    above = amounts[-1] + amounts.step
    assert stripe_money.to_stripe(above, currency) > stripe_money.MOST


def test_an_amount_that_stripe_cannot_say_is_refused_and_not_rounded() -> None:
    with pytest.raises(Rejected):
        stripe_money.to_stripe(500_001, "MGA")


@pytest.mark.parametrize(
    ("charge", "code"),
    [
        ({"outcome": {"reason": "insufficient_funds"}, "failure_code": "card_declined"},
         "insufficient_funds"),
        ({"outcome": {"reason": None}, "failure_code": "expired_card"}, "expired_card"),
        ({"outcome": None}, "declined"),
    ],
)  # fmt: skip
def test_a_failed_charge_says_why_as_precisely_as_it_can(charge: Any, code: str) -> None:
    failure = stripe_objects.failed_attempt({"id": "ch_1", **charge})
    assert (failure.code, failure.charge_id) == (code, "ch_1")
    assert failure.message
