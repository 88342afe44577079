"""Refunds and disputes: money goes back, or is taken back."""

from typing import Any

import pytest

from tests.sandbox.paypal_api import PayPalApi, issue_of, payments_of
from tests.sandbox.process import PayPalProcess

OTHER_CURRENCY: Any = {"amount": {"currency_code": "USD", "value": "1.00"}}


def test_a_capture_is_refunded_in_parts_and_then_no_more(api: PayPalApi) -> None:
    capture_id = api.captured()
    path = f"/v2/payments/captures/{capture_id}"
    assert api.refund(capture_id, "9.90").json()["amount"]["value"] == "9.90"
    assert api.call("GET", path).json()["status"] == "PARTIALLY_REFUNDED"
    assert issue_of(api.refund(capture_id, "40.01")) == (422, "REFUND_AMOUNT_EXCEEDED")
    rest = api.refund(capture_id).json()
    assert rest["amount"]["value"] == "40.00"
    assert rest["seller_payable_breakdown"]["total_refunded_amount"]["value"] == "49.90"
    assert api.call("GET", path).json()["status"] == "REFUNDED"
    assert issue_of(api.refund(capture_id)) == (422, "CAPTURE_FULLY_REFUNDED")
    assert api.call("GET", f"/v2/payments/refunds/{rest['id']}").json() == rest


def test_an_order_shows_its_refunds_with_whose_they_are(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    order_id = api.approved()
    api.capture(order_id)
    (capture,) = payments_of(api.look(order_id))["captures"]
    api.refund(capture["id"], "1.00", custom_id="orders-test.re.3", invoice_id="test-re-3")
    amount = {"currency_code": "EUR", "value": "2.00"}
    paypal.control(f"captures/{capture['id']}/refund", {"amount": amount})  # in the dashboard

    refunds = payments_of(api.look(order_id))["refunds"]

    assert [(each["amount"]["value"], each["custom_id"]) for each in refunds] == [
        ("1.00", "orders-test.re.3"),
        ("2.00", "orders-test.pi.7"),
    ]
    again = api.refund(capture["id"], "1.00", invoice_id="test-re-3")
    assert issue_of(again) == (422, "DUPLICATE_INVOICE_ID")


def test_money_that_has_not_come_cannot_be_given_back(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    capture_id = api.captured("pays_slowly")
    assert issue_of(api.refund(capture_id)) == (422, "PENDING_CAPTURE")
    paypal.control(f"captures/{capture_id}/deny")
    assert issue_of(api.refund(capture_id)) == (422, "REFUND_NOT_ALLOWED")


def test_half_a_year_later_nothing_is_given_back(paypal: PayPalProcess, api: PayPalApi) -> None:
    capture_id = api.captured()
    paypal.control("clock", {"advance_seconds": 181 * 86400})
    api.renew()
    assert issue_of(api.refund(capture_id)) == (422, "REFUND_TIME_LIMIT_EXCEEDED")


def test_another_currency_is_refused(api: PayPalApi) -> None:
    answer = api.refund(api.captured(), **OTHER_CURRENCY)
    assert issue_of(answer) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")


@pytest.mark.parametrize(
    ("verb", "status", "capture", "event"),
    [
        ("complete", "COMPLETED", "PARTIALLY_REFUNDED", "PAYMENT.CAPTURE.REFUNDED"),
        ("fail", "FAILED", "COMPLETED", "PAYMENT.REFUND.FAILED"),
    ],
)
def test_a_slow_refund_arrives_or_frees_its_share(
    api: PayPalApi, verb: str, status: str, capture: str, event: str
) -> None:
    capture_id = api.captured("is_refunded_slowly")
    made = api.refund(capture_id, "1.00").json()
    assert made["status"] == "PENDING"
    api.sandbox.control(f"refunds/{made['id']}/{verb}")
    assert api.call("GET", f"/v2/payments/refunds/{made['id']}").json()["status"] == status
    assert api.call("GET", f"/v2/payments/captures/{capture_id}").json()["status"] == capture
    assert api.events()[0]["event_type"] == event


def test_a_dispute_is_listed_shown_and_won(paypal: PayPalProcess, api: PayPalApi) -> None:
    capture_id, other = api.captured(), api.captured(invoice_id="other")
    dispute = paypal.control(f"captures/{capture_id}/dispute", {"stage": "CHARGEBACK"})
    listed = "/v1/customer/disputes?disputed_transaction_id="
    (summary,) = api.call("GET", f"{listed}{capture_id}").json()["items"]
    assert api.call("GET", f"{listed}{other}").json()["items"] == []
    assert summary["dispute_id"] == dispute["id"]
    path = f"/v1/customer/disputes/{dispute['id']}"
    (transaction,) = api.call("GET", path).json()["disputed_transactions"]
    assert (transaction["seller_transaction_id"], transaction["custom"]) == (
        capture_id,
        "orders-test.pi.7",
    )

    assert issue_of(api.refund(capture_id)) == (422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
    paypal.control(f"disputes/{dispute['id']}/win")
    outcome = api.call("GET", path).json()["dispute_outcome"]
    assert outcome == {"outcome_code": "RESOLVED_SELLER_FAVOUR"}
    assert api.refund(capture_id).status_code == 201


def test_an_inquiry_can_be_ended_by_a_whole_refund(paypal: PayPalProcess, api: PayPalApi) -> None:
    capture_id = api.captured()
    paypal.control(f"captures/{capture_id}/dispute", {"stage": "INQUIRY"})
    assert issue_of(api.refund(capture_id, "1.00")) == (422, "TRANSACTION_DISPUTED")
    assert api.refund(capture_id).status_code == 201


def test_a_lost_dispute_takes_the_money_away(paypal: PayPalProcess, api: PayPalApi) -> None:
    dispute = paypal.control(f"captures/{api.captured()}/dispute")
    paypal.control(f"disputes/{dispute['id']}/lose")
    kinds = [each["event_type"] for each in api.events()]
    assert kinds[:2] == ["PAYMENT.CAPTURE.REVERSED", "CUSTOMER.DISPUTE.RESOLVED"]
