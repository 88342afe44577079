"""Faults on order: what the caller is told, and whether the effect is there all the same."""

import time
from typing import Any

import pytest
import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": 4990, "currency": "eur"}
KEY: Any = {"idempotency_key": "k"}


def create(client: stripe.StripeClient) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90, KEY)


def intents(sandbox: StripeProcess) -> list[str]:
    return [intent["id"] for intent in sandbox.ledger()["payment_intents"]]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, stripe.APIError),
        (503, stripe.APIError),
        (429, stripe.RateLimitError),
        (409, stripe.APIError),
        (402, stripe.CardError),
    ],
)
def test_fail_before_has_no_effect_and_the_key_stays_free(
    sandbox: StripeProcess,
    client: stripe.StripeClient,
    status: int,
    error: type[stripe.StripeError],
) -> None:
    sandbox.fault("payment_intents.create", "fail_before", status=status, retry_after=2)

    with pytest.raises(error) as failed:
        create(client)

    assert failed.value.http_status == status
    assert dict(failed.value.headers or {})["Retry-After"] == "2"
    assert intents(sandbox) == []
    assert create(client).id in intents(sandbox)


def test_fail_after_has_its_effect_and_a_500_is_repeated_for_the_key(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("payment_intents.create", "fail_after", status=500)

    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            create(client)

    assert dict(failed.value.headers or {})["Idempotent-Replayed"] == "true"
    assert len(intents(sandbox)) == 1


def test_fail_after_with_a_429_leaves_the_true_answer_for_the_key(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("payment_intents.create", "fail_after", status=429)

    with pytest.raises(stripe.RateLimitError):
        create(client)

    assert intents(sandbox) == [create(client).id]


def test_accept_then_cut_has_its_effect_and_the_repetition_tells_it(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("payment_intents.create", "accept_then_cut")

    with pytest.raises(stripe.APIConnectionError):
        create(client)

    (made,) = intents(sandbox)
    assert create(client).id == made


def test_cut_has_no_effect(sandbox: StripeProcess, client: stripe.StripeClient) -> None:
    sandbox.fault("payment_intents.create", "cut")

    with pytest.raises(stripe.APIConnectionError):
        create(client)

    assert intents(sandbox) == []
    assert create(client).id in intents(sandbox)


def test_delay_outlasts_an_impatient_caller_and_still_has_its_effect(
    sandbox: StripeProcess,
) -> None:
    sandbox.fault("payment_intents.create", "delay", seconds=60)
    with pytest.raises(stripe.APIConnectionError):
        create(sandbox.client(stripe.RequestsClient(timeout=0.3)))
    assert intents(sandbox) == []

    sandbox.control("faults", method="DELETE")

    deadline = time.monotonic() + 10
    while not intents(sandbox) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(intents(sandbox)) == 1


def test_a_fault_meets_its_endpoint_as_often_as_it_was_told(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("refunds.create", "cut")
    sandbox.fault("payment_intents.create", "fail_before", times=2)

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(client)
    created = create(client)
    sandbox.confirm(created)

    assert [fault["endpoint"] for fault in sandbox.read("faults")] == ["refunds.create"]
    assert sandbox.control("faults", method="DELETE") == []
    client.v1.refunds.create({"payment_intent": created.id})


def test_a_star_meets_every_endpoint_until_it_is_cleared(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("*", "delay", seconds=0.01, times=None)
    sandbox.fault("*", "fail_before", status=503, times=None)

    for call in (client.v1.payment_intents.list, client.v1.refunds.list, client.v1.events.list):
        with pytest.raises(stripe.APIError):
            call()
    sandbox.control("faults", method="DELETE")
    client.v1.payment_intents.list()


def test_an_unknown_fault_is_refused(sandbox: StripeProcess) -> None:
    wrong: Any = [{"endpoint": "*", "fault": "explode"}, {"fault": "cut"}, {"colour": "red"}, []]
    for body in wrong:
        with pytest.raises(Exception, match="400"):
            sandbox.control("faults", body)
    assert sandbox.read("faults") == []


def test_a_fault_that_lasts_is_over_by_itself(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.fault("*", "fail_before", times=None, lasts_seconds=3600)
    sandbox.fault("payment_intents.create", "cut", times=None, lasts_seconds=0)

    with pytest.raises(stripe.APIError) as failed:
        create(client)

    assert failed.value.http_status == 500
    assert [fault["endpoint"] for fault in sandbox.control("faults", method="GET")] == ["*"]
