"""The life of a payment intent, driven by the official SDK and by a browser's calls."""

from typing import Any

import pytest
import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": 4990, "currency": "eur"}


def open_intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90 | params)


def test_an_intent_is_created_open_and_found_again(client: stripe.StripeClient) -> None:
    intent = open_intent(client, metadata={"payment_id": "7", "order_id": "3"})

    found = client.v1.payment_intents.retrieve(intent.id)
    assert found.to_dict() == intent.to_dict()
    assert (found.status, found.amount, found.amount_received) == (
        "requires_payment_method",
        4990,
        0,
    )
    assert found.metadata.to_dict() == {"payment_id": "7", "order_id": "3"}
    assert found.payment_method_types == ["card", "klarna"]
    assert found.livemode is False


def test_a_good_card_pays_and_leaves_one_charge(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, metadata={"payment_id": "7"})

    assert sandbox.confirm(intent).json()["status"] == "succeeded"

    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received) == ("succeeded", 4990)
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert paid.latest_charge.amount_captured == 4990
    assert [charge["metadata"] for charge in sandbox.ledger()["charges"]] == [{"payment_id": "7"}]


def test_a_card_typed_in_by_its_number_pays(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client)
    typed = {"payment_method_data[type]": "card", "payment_method_data[card][exp_year]": "2031"}
    number = {"payment_method_data[card][number]": "4242 4242 4242 4242"}

    assert sandbox.confirm(intent, "", **typed, **number).json()["status"] == "succeeded"
    (logged,) = sandbox.read("requests?endpoint=payment_intents.confirm")
    assert ["payment_method_data[card][number]", "…4242"] in logged["params"]


@pytest.mark.parametrize(
    ("number", "code"),
    [("4242424242424241", "incorrect_number"), ("5105105105105100", "card_declined")],
)
def test_a_number_that_is_no_test_card_makes_no_charge(
    sandbox: StripeProcess, client: stripe.StripeClient, number: str, code: str
) -> None:
    typed = {"payment_method_data[type]": "card", "payment_method_data[card][number]": number}

    answer = sandbox.confirm(open_intent(client), "", **typed)

    assert (answer.status_code, answer.json()["error"]["code"]) == (402, code)
    assert sandbox.ledger()["charges"] == []


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
def test_a_decline_is_not_final(
    sandbox: StripeProcess,
    client: stripe.StripeClient,
    card: str,
    code: str,
    decline_code: str | None,
) -> None:
    intent = open_intent(client)
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(
            intent.id, {"payment_method": card, "return_url": "https://shop.example/back"}
        )

    assert declined.value.code == code
    assert declined.value.http_status == 402
    again = client.v1.payment_intents.retrieve(intent.id)
    assert (again.status, again.payment_method) == ("requires_payment_method", None)
    assert again.last_payment_error is not None
    assert getattr(again.last_payment_error, "decline_code", None) == decline_code
    assert sandbox.confirm(intent).json()["status"] == "succeeded"
    statuses = [charge["status"] for charge in sandbox.ledger()["charges"]]
    assert statuses == ["failed", "succeeded"]


def test_create_and_confirm_in_one_call_keeps_the_intent_of_a_declined_card(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        open_intent(
            client,
            confirm=True,
            payment_method="pm_card_chargeDeclined",
            automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
        )

    told: Any = declined.value.error
    (kept,) = sandbox.ledger()["payment_intents"]
    assert kept["id"] == told.payment_intent.id


def test_create_and_confirm_without_a_return_url_creates_nothing(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_intent(client, confirm=True, payment_method="pm_card_visa")

    assert refused.value.param == "return_url"
    assert sandbox.ledger()["payment_intents"] == []


@pytest.mark.parametrize(
    ("verb", "status", "charges"),
    [("authenticate", "succeeded", 1), ("fail_authentication", "requires_payment_method", 0)],
)
def test_a_card_with_3d_secure_waits_for_its_owner(
    sandbox: StripeProcess, client: stripe.StripeClient, verb: str, status: str, charges: int
) -> None:
    intent = open_intent(client)
    challenged = sandbox.confirm(intent, "pm_card_authenticationRequired").json()
    assert challenged["status"] == "requires_action"
    assert challenged["next_action"]["type"] == "redirect_to_url"

    assert sandbox.control(f"payment_intents/{intent.id}/{verb}")["status"] == status

    assert len(sandbox.ledger()["charges"]) == charges
    error = client.v1.payment_intents.retrieve(intent.id).last_payment_error
    assert (error.code if error else None) == (
        None if charges else "payment_intent_authentication_failure"
    )


def test_stripe_js_gets_its_own_next_action(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client)
    answer = sandbox.confirm(
        intent, "pm_card_authenticationRequired", use_stripe_sdk="true", return_url="http://a.test"
    )
    assert answer.json()["next_action"]["type"] == "use_stripe_sdk"


@pytest.mark.parametrize(
    ("verb", "status", "charge"),
    [
        ("finish_processing", "succeeded", "succeeded"),
        ("fail_processing", "requires_payment_method", "failed"),
    ],
)
def test_a_slow_payment_is_processing_until_the_bank_answers(
    sandbox: StripeProcess, client: stripe.StripeClient, verb: str, status: str, charge: str
) -> None:
    intent = open_intent(client)
    assert sandbox.confirm(intent, "pm_card_processing").json()["status"] == "processing"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(intent.id)

    assert sandbox.control(f"payment_intents/{intent.id}/{verb}")["status"] == status
    assert [each["status"] for each in sandbox.ledger()["charges"]] == [charge]


def test_a_cancelled_intent_takes_no_money_any_more(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client)
    cancelled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")

    answer = sandbox.confirm(intent)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"
    assert "metadata" not in answer.json()["error"]["payment_intent"]
    assert sandbox.ledger()["charges"] == []


@pytest.mark.parametrize("verb", ["cancel", "confirm", "capture"])
def test_a_succeeded_intent_is_final(
    sandbox: StripeProcess, client: stripe.StripeClient, verb: str
) -> None:
    intent = open_intent(client)
    sandbox.confirm(intent)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(client.v1.payment_intents, verb)(intent.id)

    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.http_status == 400


def test_a_manual_capture_takes_part_of_the_reserved_money_once(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, capture_method="manual")
    assert sandbox.confirm(intent).json()["status"] == "requires_capture"
    with pytest.raises(stripe.InvalidRequestError, match="only 4990"):
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 4991})

    captured = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 4000})

    assert (captured.status, captured.amount_received) == ("succeeded", 4000)
    (charge,) = sandbox.ledger()["charges"]
    assert (charge["amount_captured"], charge["amount_refunded"]) == (4000, 0)


def test_reserved_money_that_nobody_captures_is_released_after_a_week(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, capture_method="manual")
    sandbox.confirm(intent)
    sandbox.control("clock", {"advance_seconds": 6 * 86400})
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_capture"

    sandbox.control("clock", {"advance_seconds": 86400})

    expired = client.v1.payment_intents.retrieve(intent.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "expired")


def test_klarna_redirects_and_then_pays(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, allowed_payment_method_types=["klarna", "sofort"])
    assert intent.payment_method_types == ["klarna"]
    assert "error" in sandbox.confirm(intent, "pm_card_visa").json()

    confirmed = sandbox.confirm(intent, "", **{"payment_method_data[type]": "klarna"})
    assert confirmed.json()["status"] == "requires_action"
    sandbox.control(f"payment_intents/{intent.id}/authenticate")

    paid = client.v1.payment_intents.retrieve(intent.id)
    assert paid.status == "succeeded"
    assert str(paid.latest_charge).startswith("py_")


def test_an_update_merges_metadata_and_changes_the_amount_while_open(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, metadata={"a": "1", "b": "2"})
    changed = client.v1.payment_intents.update(
        intent.id, {"amount": 5000, "metadata": {"b": "", "c": "3"}}
    )
    assert (changed.amount, changed.metadata.to_dict()) == (5000, {"a": "1", "c": "3"})

    sandbox.confirm(intent)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.update(intent.id, {"amount": 6000})
    assert client.v1.payment_intents.update(intent.id, {"metadata": {"d": "4"}}).amount == 5000


def test_reserved_money_says_until_when_it_can_be_captured(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, capture_method="manual")
    sandbox.confirm(intent)
    charge = client.v1.payment_intents.retrieve(
        intent.id, {"expand": ["latest_charge"]}
    ).latest_charge
    assert isinstance(charge, stripe.Charge)
    assert card_of(charge).capture_before == charge.created + 7 * 86400

    client.v1.payment_intents.capture(intent.id)

    assert "capture_before" not in card_of(client.v1.charges.retrieve(charge.id))


def card_of(charge: stripe.Charge) -> Any:
    assert charge.payment_method_details is not None
    return charge.payment_method_details.card
