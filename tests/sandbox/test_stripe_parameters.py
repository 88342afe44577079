"""Who may call, with which parameters; everything else is refused by name."""

from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": 4990, "currency": "eur"}

AUTOMATIC, TYPES = "automatic_payment_methods", "payment_method_types"
DATA = "payment_method_data"


def open_intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90 | params)


def test_a_browser_sees_only_its_own_payment_and_no_metadata(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client, metadata={"order_id": "3"})
    headers = {"Authorization": f"Bearer {sandbox.publishable_key}"}

    def get(path: str, **params: str | None) -> requests.Response:
        return requests.get(f"{sandbox.url}{path}", params=params, headers=headers, timeout=10)

    seen = get(f"/v1/payment_intents/{intent.id}", client_secret=intent.client_secret)
    assert seen.json()["status"] == "requires_payment_method"
    assert not {"metadata", "latest_charge"} & set(seen.json())
    assert seen.headers["Access-Control-Allow-Origin"] == "*"
    assert get(f"/v1/payment_intents/{intent.id}").status_code == 400
    assert get(f"/v1/payment_intents/{intent.id}", client_secret="x").status_code == 400
    assert get("/v1/payment_intents").status_code == 403
    asked = requests.options(f"{sandbox.url}/v1/payment_intents/{intent.id}", timeout=10)
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("key", ["", "sk_test_wrong", "sk_live_x"])
def test_a_wrong_key_is_refused(sandbox: StripeProcess, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = requests.get(f"{sandbox.url}/v1/payment_intents", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_another_api_version_is_refused(sandbox: StripeProcess) -> None:
    client = stripe.StripeClient(
        sandbox.secret_key,
        stripe_version="2026-05-27.dahlia",
        base_addresses={"api": sandbox.url},
    )
    with pytest.raises(stripe.InvalidRequestError, match="version"):
        client.v1.payment_intents.list()


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"currency": ""}, "currency", "parameter_missing"),
        ({"amount": "12.5"}, "amount", "parameter_invalid_integer"),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -1}, "amount", "parameter_invalid_integer"),
        ({"amount": ""}, "amount", "parameter_invalid_empty"),
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": 1001, "currency": "kwd"}, "amount", None),
        ({"currency": "EUR"}, "currency", None),
        ({"currency": "xyz"}, "currency", None),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({AUTOMATIC: {"on": True}}, f"{AUTOMATIC}[on]", "parameter_unknown"),
        ({AUTOMATIC: {"enabled": "yes"}}, f"{AUTOMATIC}[enabled]", None),
        ({TYPES: ["klarna"]}, TYPES, f"{TYPES}_no_longer_supported"),
        ({"statement_descriptor": "SHOP"}, "statement_descriptor", None),
        ({"statement_descriptor_suffix": "x" * 23}, "statement_descriptor_suffix", None),
        ({"capture_method": "later"}, "capture_method", None),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "metadata", None),
        ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]", None),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
        ({"metadata": "v"}, "metadata", "parameter_invalid_object"),
        ({"return_url": "https://shop.example"}, "return_url", None),
        ({"confirm": True, "return_url": "javascript:alert(1)"}, "return_url", "url_invalid"),
        ({"payment_method": "pm_unknown"}, "payment_method", "resource_missing"),
        ({DATA: {"card": {"cvc": "123"}}}, f"{DATA}[type]", "parameter_missing"),
        ({f"allowed_{TYPES}": ["card"], AUTOMATIC: {"enabled": True}}, AUTOMATIC, None),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(
    sandbox: StripeProcess, params: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.client().v1.payment_intents.create(EUR_49_90 | params)

    assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.http_status == 400
    assert sandbox.ledger()["payment_intents"] == []


def test_limits_count_over_all_updates(client: stripe.StripeClient) -> None:
    intent = open_intent(client, metadata={f"k{n}": "v" for n in range(50)})
    with pytest.raises(stripe.InvalidRequestError, match="50 keys"):
        client.v1.payment_intents.update(intent.id, {"metadata": {"one_more": "v"}})


def test_what_does_not_exist_is_a_404(client: stripe.StripeClient) -> None:
    for service in (client.v1.payment_intents, client.v1.charges, client.v1.refunds):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            service.retrieve("nothing")
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
