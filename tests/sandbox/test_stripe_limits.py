"""Rate limits: each endpoint takes so many requests within a second, and no more."""

from typing import Any

import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": 4990, "currency": "eur"}
MANY = 20  # so many that they do not take a second each, however slow the machine is


def refusals(client: stripe.StripeClient, calls: int) -> list[stripe.RateLimitError]:
    """Open payments as fast as one can; the errors of those that were too many."""
    refused = []
    for number in range(calls):
        key: Any = {"idempotency_key": f"key-{number}"}
        try:
            client.v1.payment_intents.create(EUR_49_90, key)
        except stripe.RateLimitError as error:
            refused.append(error)
    return refused


def test_without_a_limit_any_number_is_taken(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    assert refusals(client, 40) == []


def test_what_is_too_much_within_a_second_is_refused_and_never_happened(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.control("config", {"requests_per_second": 1})

    refused = refusals(client, MANY)

    assert refused[0].error is not None
    assert refused[0].error.code == "rate_limit"
    assert dict(refused[0].headers or {})["Retry-After"] == "1"
    assert len(sandbox.ledger()["payment_intents"]) == MANY - len(refused)


def test_a_refused_request_leaves_its_key_free(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.control("config", {"requests_per_second": 1})
    assert refusals(client, MANY)
    sandbox.control("config", {"requests_per_second": None})

    assert refusals(client, MANY) == []
    assert len(sandbox.ledger()["payment_intents"]) == MANY


def test_each_endpoint_has_a_limit_of_its_own(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.control("config", {"requests_per_second": 1})
    intent = client.v1.payment_intents.create(EUR_49_90)

    assert client.v1.payment_intents.retrieve(intent.id).id == intent.id
    assert refusals(client, MANY)
