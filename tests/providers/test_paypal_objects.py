"""PayPal's objects in our words: every status, every amount, every mark."""

from datetime import UTC, datetime
from typing import Any

import pytest

from providers import paypal_marks, paypal_money, paypal_objects
from providers.base import Rejected
from providers.paypal_marks import Mark
from tests.providers.paypal_examples import (
    CAPTURE,
    DISPUTE,
    ORDER,
    REFUND,
    with_captures,
)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CREATED", "open"),
        ("SAVED", "open"),
        ("PAYER_ACTION_REQUIRED", "open"),
        ("APPROVED", "authorised"),
        ("VOIDED", "cancelled"),
        ("COMPLETED", "processing"),  # and of its money nothing is known
        ("OF_TOMORROW", "processing"),
    ],
)
def test_every_status_of_an_order_has_its_word_here(status: str, state: str) -> None:
    seen = paypal_objects.order(ORDER | {"status": status}, is_live=False)
    assert (seen.state, seen.received_minor, seen.amount_minor) == (state, 0, 3998)


@pytest.mark.parametrize(
    ("status", "state", "received"),
    [
        ("COMPLETED", "succeeded", 3998),
        ("PARTIALLY_REFUNDED", "succeeded", 3998),
        ("REFUNDED", "succeeded", 3998),
        ("PENDING", "processing", 0),
        ("DECLINED", "failed", 0),
        ("FAILED", "failed", 0),
        ("OF_TOMORROW", "processing", 0),
    ],
)
def test_of_a_completed_order_its_capture_decides(status: str, state: str, received: int) -> None:
    capture = CAPTURE | {"status": status}
    seen = paypal_objects.order(with_captures(capture), is_live=False)
    assert (seen.state, seen.received_minor) == (state, received)
    assert bool(seen.failure) == (state == "failed")
    told = paypal_objects.capture(capture, is_live=False)
    assert (told.state, told.received_minor) == (state, received)
    assert told.provider_payment_id == ORDER["id"]


def test_money_that_came_is_not_hidden_by_a_capture_that_failed() -> None:
    captures = (CAPTURE, CAPTURE | {"id": "2", "status": "DECLINED"})
    seen = paypal_objects.order(with_captures(*captures), is_live=False)
    assert (seen.state, seen.received_minor) == ("succeeded", 3998)


def test_what_a_buyer_approved_can_be_captured_for_three_hours() -> None:
    seen = paypal_objects.order(ORDER | {"status": "APPROVED"}, is_live=True)
    assert seen.capture_before == datetime(2026, 11, 22, 15, 5, tzinfo=UTC)
    assert seen.is_live


@pytest.mark.parametrize("rel", ["payer-action", "approve"])
def test_the_buyer_is_sent_to_paypals_page(rel: str) -> None:
    links = [{"rel": "self", "href": "no"}, {"rel": rel, "href": "https://www.paypal.com/x"}]
    seen = paypal_objects.order(ORDER | {"status": "CREATED", "links": links}, is_live=False)
    assert seen.redirect_url == "https://www.paypal.com/x"
    assert "paypal.com" not in str(seen.raw)


@pytest.mark.parametrize(
    ("status", "state", "failure"),
    [
        ("COMPLETED", "succeeded", None),
        ("PENDING", "pending", None),
        ("FAILED", "failed", "ECHECK"),
        ("CANCELLED", "cancelled", None),
        ("OF_TOMORROW", "pending", None),
    ],
)
def test_every_status_of_a_refund_has_its_word_here(
    status: str, state: str, failure: str | None
) -> None:
    words = REFUND | {"status": status, "status_details": {"reason": "ECHECK"}}
    seen = paypal_objects.refund(words, "orders-test", None)
    assert (seen.state, seen.failure) == (state, failure)
    assert (seen.amount_minor, seen.marked_refund_id) == (1000, 3)


@pytest.mark.parametrize(
    ("outcome", "state", "is_refundable"),
    [
        (None, "open", False),
        ("RESOLVED_SELLER_FAVOUR", "won", True),
        ("RESOLVED_WITH_PAYOUT", "won", True),
        ("RESOLVED_BUYER_FAVOUR", "lost", False),
        ("ACCEPTED", "lost", False),
        ("CANCELED_BY_BUYER", "closed", False),
        ("DENIED", "closed", False),
        ("OF_TOMORROW", "open", False),
    ],
)
def test_a_dispute_is_open_unless_paypal_says_how_it_ended(
    outcome: str | None, state: str, is_refundable: bool
) -> None:
    words = DISPUTE | ({"dispute_outcome": {"outcome_code": outcome}} if outcome else {})
    seen = paypal_objects.dispute(words, "1ORDER")
    assert (seen.state, seen.is_refundable, seen.due_by) == (state, is_refundable, None)
    assert seen.status == (outcome or "WAITING_FOR_SELLER_RESPONSE")


def test_an_inquiry_does_not_forbid_a_refund() -> None:
    inquiry = DISPUTE | {"dispute_life_cycle_stage": "INQUIRY"}
    assert paypal_objects.dispute(inquiry, None).is_refundable


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("orders-test.pi.7", Mark("orders-test", 7)),
        ("orders-test.pi.7.re.3", Mark("orders-test", 7, 3)),
        ("orders-test.pi.7.re.", None),
        ("orders.test.pi.7", None),
        ("7", None),
        (None, None),
        (f"orders-test.pi.{'9' * 40}", None),
    ],
)
def test_a_mark_is_read_in_its_own_form_only(text: str | None, mark: Mark | None) -> None:
    assert paypal_marks.read(text) == mark
    assert mark is None or str(mark) == text


def test_what_another_application_made_is_not_listed_as_ours() -> None:
    ours, other = CAPTURE, CAPTURE | {"custom_id": "orders-other.pi.7"}
    seen = paypal_objects.listed(ours, "orders-test")
    assert seen is not None
    assert (seen.payment_id, seen.provider_payment_id, seen.received_minor) == (
        7,
        ORDER["id"],
        3998,
    )
    assert paypal_objects.listed(other, "orders-test") is None
    assert paypal_objects.listed(CAPTURE | {"custom_id": "7"}, "orders-test") is None
    assert paypal_objects.refund(REFUND, "orders-other", None).marked_refund_id is None


@pytest.mark.parametrize(
    ("currency", "minor", "value"),
    [
        ("EUR", 1999, "19.99"),
        ("EUR", 5, "0.05"),
        ("JPY", 500, "500"),
        ("HUF", 150000, "1500"),
        ("TWD", 12300, "123"),
    ],
)
def test_an_amount_is_written_in_paypals_way_and_read_back_in_ours(
    currency: str, minor: int, value: str
) -> None:
    money = {"currency_code": currency, "value": value}
    assert paypal_money.to_paypal(minor, currency) == money
    assert paypal_money.from_paypal(money) == minor


@pytest.mark.parametrize(("currency", "minor"), [("HUF", 150050), ("TWD", 1), ("KWD", 1000)])
def test_an_amount_that_paypal_cannot_say_is_refused_and_not_rounded(
    currency: str, minor: int
) -> None:
    with pytest.raises(Rejected):
        paypal_money.to_paypal(minor, currency)


@pytest.mark.parametrize("currency", paypal_money.DECIMALS)
def test_what_is_chargeable_can_be_said_in_paypals_way(currency: str) -> None:
    amounts = paypal_money.chargeable(currency)
    for minor in (amounts[0], amounts[1], amounts[-1]):
        assert paypal_money.from_paypal(paypal_money.to_paypal(minor, currency)) == minor


def test_a_currency_that_paypal_does_not_take_cannot_be_charged() -> None:
    assert len(paypal_money.chargeable("KWD")) == 0


@pytest.mark.parametrize("value", ["ten", "1.005", "NaN", ""])
def test_what_is_no_amount_is_not_read_as_one(value: Any) -> None:
    with pytest.raises(ValueError, match=r"decimals|amount"):
        paypal_money.from_paypal({"currency_code": "EUR", "value": value})
