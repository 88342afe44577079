"""What each type of event tells us."""

from typing import Any

import pytest

import settings
from providers.base import MalformedEvent, ProviderEvent
from providers.paypal import PayPal
from tests.providers.paypal_examples import (
    AUTHORISATION,
    CAPTURE,
    DISPUTE,
    ORDER,
    REFUND,
    event,
    with_captures,
)


def read(body: dict[str, Any]) -> ProviderEvent:
    return PayPal(settings.current()).read_event(body)


@pytest.mark.parametrize(
    ("kind", "resource", "state"),
    [
        ("CHECKOUT.ORDER.APPROVED", ORDER | {"status": "APPROVED"}, "authorised"),
        ("CHECKOUT.ORDER.COMPLETED", with_captures(CAPTURE), "succeeded"),
        ("CHECKOUT.ORDER.COMPLETED", ORDER, "processing"),
        ("PAYMENT.AUTHORIZATION.CREATED", AUTHORISATION, "authorised"),
        ("PAYMENT.AUTHORIZATION.VOIDED", AUTHORISATION | {"status": "VOIDED"}, "cancelled"),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE, "succeeded"),
        ("PAYMENT.CAPTURE.PENDING", CAPTURE | {"status": "PENDING"}, "processing"),
        ("PAYMENT.CAPTURE.DENIED", CAPTURE | {"status": "DECLINED"}, "failed"),
        ("PAYMENT.CAPTURE.DECLINED", CAPTURE | {"status": "DECLINED"}, "failed"),
    ],
)
def test_a_payment_is_told_with_our_mark(kind: str, resource: dict[str, Any], state: str) -> None:
    told = read(event(kind, resource))
    assert told.payment is not None
    assert (told.payment.state, told.provider_payment_id) == (state, ORDER["id"])
    assert (told.marked_payment_id, told.foreign_because) == (7, None)
    assert (told.attempt is not None) == (state == "failed")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("PAYMENT.CAPTURE.REFUNDED", "COMPLETED"),
        ("PAYMENT.REFUND.PENDING", "PENDING"),
        ("PAYMENT.REFUND.FAILED", "FAILED"),
    ],
)
def test_a_refund_is_told_by_our_mark_alone(kind: str, status: str) -> None:
    told = read(event(kind, REFUND | {"status": status}))
    assert told.refund is not None
    assert (told.provider_payment_id, told.marked_payment_id) == (None, 7)
    assert told.refund.marked_refund_id == 3


@pytest.mark.parametrize("kind", ["CREATED", "UPDATED", "RESOLVED"])
def test_a_dispute_is_told_by_our_mark_alone(kind: str) -> None:
    told = read(event(f"CUSTOMER.DISPUTE.{kind}", DISPUTE))
    assert told.dispute is not None
    assert (told.provider_payment_id, told.marked_payment_id) == (None, 7)


def test_money_that_was_taken_back_is_for_a_person() -> None:
    told = read(event("PAYMENT.CAPTURE.REVERSED", CAPTURE))
    assert told.warning
    assert told.looks == {"refunds", "disputes"}
    assert read(dict(told.body)) == told
    assert told.marked_payment_id == 7


def test_an_approval_that_lapsed_is_looked_at() -> None:
    lapsed = {"order_id": ORDER["id"], "purchase_units": ORDER["purchase_units"]}
    kind = "CHECKOUT.PAYMENT-APPROVAL.REVERSED"
    told = read(event(kind, lapsed, resource_type="payment-approval"))
    assert told.looks == {"payment"}
    assert told.marked_payment_id == 7
    assert read(dict(told.body)) == told  # as a worker does, from what was stored


def test_an_event_of_another_application_is_foreign() -> None:
    told = read(event("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"custom_id": "orders-other.pi.7"}))
    assert told.foreign_because
    assert told.marked_payment_id is None


def test_an_event_of_a_type_that_nobody_knows_tells_nothing() -> None:
    told = read(event("BILLING.PLAN.CREATED", {"id": "P-1"}))
    assert (told.payment, told.provider_payment_id, told.marked_payment_id) == (None, None, None)


def test_nothing_of_the_buyer_is_kept() -> None:
    buyer = {"email_address": "ada@example.com", "name": {"given_name": "Ada"}}
    resource = with_captures(CAPTURE, payer=buyer, payment_source={"paypal": buyer})
    told = read(event("CHECKOUT.ORDER.COMPLETED", resource, summary="Ada paid"))
    assert "Ada" not in str(told)
    assert "ada@example.com" not in str(told)
    assert read(dict(told.body)).payment == told.payment


@pytest.mark.parametrize(
    "body",
    [
        event("PAYMENT.CAPTURE.COMPLETED", {}),
        event("PAYMENT.CAPTURE.COMPLETED", CAPTURE, create_time="soon"),
        event("PAYMENT.CAPTURE.COMPLETED", CAPTURE, id=7),
        event("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"amount": {"value": "1"}}),
        event("CHECKOUT.ORDER.APPROVED", ORDER | {"purchase_units": []}),
        event("CUSTOMER.DISPUTE.CREATED", {"disputed_transactions": []}),
    ],
)
def test_what_cannot_be_read_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        read(body)
