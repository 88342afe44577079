"""Authorisations: money that is reserved, and captured, voided or let go."""

from typing import Any

import pytest

from tests.sandbox.paypal_api import PayPalApi, issue_of, payments_of
from tests.sandbox.process import PayPalProcess

PATH = "/v2/payments/authorizations"


def status_of(api: PayPalApi, made: str) -> str:
    return str(api.call("GET", f"{PATH}/{made}").json()["status"])


def told(api: PayPalApi) -> list[str]:
    return [each["event_type"] for each in api.events()[::-1]]


def test_what_is_authorised_is_reserved_and_no_money_yet(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    order_id, made = api.authorized()
    seen = api.look(order_id)
    assert (seen["intent"], seen["status"]) == ("AUTHORIZE", "COMPLETED")
    assert [each["id"] for each in payments_of(seen)["authorizations"]] == [made]
    assert "captures" not in payments_of(seen)
    assert told(api) == ["CHECKOUT.ORDER.APPROVED", "PAYMENT.AUTHORIZATION.CREATED"]
    assert [each["status"] for each in paypal.ledger()["authorizations"]] == ["CREATED"]


def test_it_is_captured_once_under_its_key(paypal: PayPalProcess, api: PayPalApi) -> None:
    order_id, made = api.authorized()
    path = f"{PATH}/{made}/capture"
    answers = [api.call("POST", path, {"final_capture": True}, key="k") for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    assert issue_of(api.call("POST", path, {}, key="other")) == (
        422,
        "AUTHORIZATION_ALREADY_CAPTURED",
    )

    (capture,) = paypal.ledger()["captures"]
    assert (capture["amount"], capture["status"]) == ("49.90", "COMPLETED")
    (shown,) = payments_of(api.look(order_id))["captures"]
    assert shown["id"] == capture["id"]
    related = answers[0].json()["supplementary_data"]["related_ids"]
    assert related == {"order_id": order_id, "authorization_id": made}
    assert status_of(api, made) == "CAPTURED"


@pytest.mark.parametrize("ended_by", ["void", "time"])
def test_what_is_voided_or_too_old_is_not_captured(
    paypal: PayPalProcess, api: PayPalApi, ended_by: str
) -> None:
    _, made = api.authorized()
    if ended_by == "void":
        assert api.call("POST", f"{PATH}/{made}/void").json()["status"] == "VOIDED"
    else:
        paypal.control("clock", {"advance_seconds": 29 * 86400})
        api.renew()
    assert status_of(api, made) == "VOIDED"
    assert told(api)[-1] == "PAYMENT.AUTHORIZATION.VOIDED"
    refused = api.call("POST", f"{PATH}/{made}/capture", {})
    assert issue_of(refused) == (422, "AUTHORIZATION_VOIDED")
    assert issue_of(api.call("POST", f"{PATH}/{made}/void")) == (422, "PREVIOUSLY_VOIDED")
    assert paypal.ledger()["captures"] == []


@pytest.mark.parametrize(
    ("intent", "issue"),
    [("CAPTURE", "ACTION_DOES_NOT_MATCH_INTENT"), ("AUTHORIZE", "ORDER_NOT_APPROVED")],
)
def test_the_order_must_be_of_that_kind_and_approved(
    api: PayPalApi, intent: str, issue: str
) -> None:
    order_id = api.order(intent=intent)
    answer = api.call("POST", f"/v2/checkout/orders/{order_id}/authorize")
    assert issue_of(answer) == (422, issue)


def test_it_is_reserved_once_under_its_key(paypal: PayPalProcess, api: PayPalApi) -> None:
    path = f"/v2/checkout/orders/{api.approved(intent='AUTHORIZE')}/authorize"
    assert [api.call("POST", path, key="k").status_code for _ in range(2)] == [201, 200]
    assert issue_of(api.call("POST", path, key="other")) == (422, "ORDER_ALREADY_AUTHORIZED")
    assert len(paypal.ledger()["authorizations"]) == 1


def test_the_dashboard_captures_and_voids(paypal: PayPalProcess, api: PayPalApi) -> None:
    for verb, status in (("capture", "CAPTURED"), ("void", "VOIDED")):
        _, made = api.authorized(invoice_id=f"test-pi-{verb}")
        shown: Any = paypal.read("payments")[0]
        assert f"authorizations/{made}/{verb}" in shown["acts"]
        paypal.control(f"authorizations/{made}/{verb}")
        assert status_of(api, made) == status
