"""Orders: opened, approved by the buyer, captured once."""

import pytest
import requests

from tests.sandbox.paypal_api import PayPalApi, issue_of, payments_of
from tests.sandbox.process import PayPalProcess


def test_an_order_goes_from_its_opening_to_its_money(paypal: PayPalProcess, api: PayPalApi) -> None:
    opened = api.create().json()
    assert opened["status"] == "CREATED"
    assert {each["rel"] for each in opened["links"]} == {"self", "approve"}

    paypal.control(f"orders/{opened['id']}/approve")
    assert api.look(opened["id"])["status"] == "APPROVED"
    done = api.capture(opened["id"]).json()

    (capture,) = payments_of(done)["captures"]
    assert (done["status"], capture["status"]) == ("COMPLETED", "COMPLETED")
    assert capture["amount"] == {"currency_code": "EUR", "value": "49.90"}
    assert (capture["custom_id"], capture["invoice_id"]) == ("orders-test.pi.7", "test-pi-7")
    seen = api.call("GET", f"/v2/payments/captures/{capture['id']}").json()
    assert seen["supplementary_data"]["related_ids"] == {"order_id": opened["id"]}


def test_with_a_wallet_named_the_buyer_is_sent_on_and_the_request_needs_an_id(
    api: PayPalApi,
) -> None:
    order = {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": {"currency_code": "EUR", "value": "1.00"}}],
        "payment_source": {
            "paypal": {"experience_context": {"return_url": "https://shop.example/7"}}
        },
    }
    path = "/v2/checkout/orders"
    assert issue_of(api.call("POST", path, order)) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    opened = api.call("POST", path, order, key="k").json()
    assert opened["status"] == "PAYER_ACTION_REQUIRED"
    assert {each["rel"] for each in opened["links"]} == {"self", "payer-action"}


def test_a_minimal_answer_has_id_status_and_links(api: PayPalApi) -> None:
    order_id = api.approved()
    path = f"/v2/checkout/orders/{order_id}/capture"
    assert set(api.call("POST", path, whole=False).json()) == {"id", "status", "links"}


@pytest.mark.parametrize(
    ("funding", "status", "event"),
    [
        ("pays", "COMPLETED", "PAYMENT.CAPTURE.COMPLETED"),
        ("pays_slowly", "PENDING", "PAYMENT.CAPTURE.PENDING"),
    ],
)
def test_a_completed_order_may_have_no_money_yet(
    api: PayPalApi, funding: str, status: str, event: str
) -> None:
    order = api.capture(api.approved(funding)).json()
    assert order["status"] == "COMPLETED"
    assert payments_of(order)["captures"][0]["status"] == status
    assert event in [each["event_type"] for each in api.events()]


@pytest.mark.parametrize(("verb", "status"), [("complete", "COMPLETED"), ("deny", "DECLINED")])
def test_pending_money_arrives_or_does_not(
    paypal: PayPalProcess, api: PayPalApi, verb: str, status: str
) -> None:
    capture_id = api.captured("pays_slowly")
    assert paypal.control(f"captures/{capture_id}/{verb}")["status"] == status
    assert api.call("GET", f"/v2/payments/captures/{capture_id}").json()["status"] == status


def test_a_declined_instrument_leaves_the_order_to_the_buyer(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    order_id = api.approved("is_declined")
    assert issue_of(api.capture(order_id, "k")) == (422, "INSTRUMENT_DECLINED")
    assert api.look(order_id)["status"] == "PAYER_ACTION_REQUIRED"

    paypal.control(f"orders/{order_id}/approve")
    assert api.capture(order_id, "k").json()["status"] == "COMPLETED"


def test_what_is_not_approved_and_what_is_captured_cannot_be_captured(api: PayPalApi) -> None:
    assert issue_of(api.capture(api.order())) == (422, "ORDER_NOT_APPROVED")
    order_id = api.approved()
    api.capture(order_id)
    assert issue_of(api.capture(order_id)) == (422, "ORDER_ALREADY_CAPTURED")


def test_an_invoice_is_paid_once(api: PayPalApi) -> None:
    first, second = api.approved(), api.approved()
    api.capture(first)
    assert issue_of(api.capture(second)) == (422, "DUPLICATE_INVOICE_ID")
    assert "payments" not in api.look(second)["purchase_units"][0]


def test_an_order_that_nobody_paid_is_forgotten(paypal: PayPalProcess, api: PayPalApi) -> None:
    paid, unpaid = api.approved(), api.order(invoice_id="other")
    api.capture(paid)
    paypal.control("clock", {"advance_seconds": 6 * 3600})
    assert api.call("GET", f"/v2/checkout/orders/{unpaid}").status_code == 404
    assert api.call("GET", f"/v2/checkout/orders/{paid}").status_code == 200


def test_its_references_can_be_changed_until_it_is_captured(api: PayPalApi) -> None:
    order_id = api.approved()
    path = f"/v2/checkout/orders/{order_id}"
    at = "/purchase_units/@reference_id=='default'/invoice_id"
    change = [{"op": "replace", "path": at, "value": "other"}]
    assert api.call("PATCH", path, change).status_code == 204
    assert api.look(order_id)["purchase_units"][0]["invoice_id"] == "other"
    api.capture(order_id)
    assert issue_of(api.call("PATCH", path, change)) == (422, "ORDER_ALREADY_COMPLETED")


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ({"currency_code": "HUF", "value": "1.50"}, (422, "DECIMAL_PRECISION")),
        ({"currency_code": "JPY", "value": "1.5"}, (422, "DECIMAL_PRECISION")),
        ({"currency_code": "EUR", "value": "1.505"}, (422, "DECIMAL_PRECISION")),
        ({"currency_code": "KWD", "value": "1.505"}, (422, "INVALID_CURRENCY_CODE")),
        ({"currency_code": "EUR", "value": "0.00"}, (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ({"currency_code": "EUR", "value": "ten"}, (400, "INVALID_PARAMETER_SYNTAX")),
    ],
)
def test_amounts_are_written_as_the_currency_has_them(
    paypal: PayPalProcess, amount: dict[str, str], refusal: tuple[int, str]
) -> None:
    answer = _post_unjudged(paypal, {"intent": "CAPTURE", "purchase_units": [{"amount": amount}]})
    assert issue_of(answer) == refusal


def test_a_field_that_it_does_not_know_is_refused(paypal: PayPalProcess) -> None:
    amount = {"currency_code": "EUR", "value": "1.00"}
    for order in (
        {"intent": "CAPTURE", "purchase_units": [{"amount": amount, "invoice": "7"}]},
        {"intent": "CAPTURE", "purchase_units": [{"amount": amount}], "invoice_id": "7"},
        {
            "intent": "CAPTURE",
            "purchase_units": [{"amount": amount}],
            "payment_source": {"paypal": {"return_url": "https://shop.example"}},
        },
    ):
        assert issue_of(_post_unjudged(paypal, order)) == (400, "NOT_SUPPORTED")
    sale = {"intent": "SALE", "purchase_units": [{"amount": amount}]}
    assert issue_of(_post_unjudged(paypal, sale)) == (422, "UNSUPPORTED_INTENT")


def _post_unjudged(paypal: PayPalProcess, order: object) -> requests.Response:
    return requests.post(
        f"{paypal.url}/v2/checkout/orders",
        json=order,
        headers={"Authorization": f"Bearer {paypal.token()}", "PayPal-Request-Id": "k"},
        timeout=30,
    )
