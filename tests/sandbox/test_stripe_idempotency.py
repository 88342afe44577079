"""Idempotency keys: one effect however often a request comes, and the first answer each time."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": "4990", "currency": "eur"}


def post(
    sandbox: StripeProcess, path: str = "payment_intents", key: str = "k", **params: str
) -> requests.Response:
    return requests.post(
        f"{sandbox.url}/v1/{path}",
        data=params or EUR_49_90,
        headers={"Authorization": f"Bearer {sandbox.secret_key}", "Idempotency-Key": key},
        timeout=30,
    )


def test_a_repeated_request_gets_the_first_answer_word_for_word(sandbox: StripeProcess) -> None:
    first, second = post(sandbox), post(sandbox)

    assert second.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Request-Id"] != first.headers["Request-Id"]
    assert len(sandbox.ledger()["payment_intents"]) == 1
    assert [entry["replayed"] for entry in sandbox.read("requests?idempotency_key=k")] == [
        False,
        True,
    ]


def test_the_first_answer_stays_although_the_object_has_changed(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    created = client.v1.payment_intents.create(EUR_49_90, {"idempotency_key": "k"})
    sandbox.confirm(created)

    again = client.v1.payment_intents.create(EUR_49_90, {"idempotency_key": "k"})

    assert (again.id, again.status) == (created.id, "requires_payment_method")


def test_another_request_with_the_same_key_is_an_error(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    post(sandbox)

    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create(
            {"amount": 5000, "currency": "eur"}, {"idempotency_key": "k"}
        )
    elsewhere = post(sandbox, path="refunds", charge="ch_1")
    assert (elsewhere.status_code, elsewhere.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(sandbox.ledger()["payment_intents"]) == 1


def test_a_key_in_use_is_a_conflict(sandbox: StripeProcess) -> None:
    sandbox.fault("payment_intents.create", "delay", seconds=60)

    with ThreadPoolExecutor(2) as pool:
        answers = as_completed([pool.submit(post, sandbox) for _ in range(2)])
        conflict = next(answers).result()
        sandbox.control("faults", method="DELETE")
        created = next(answers).result()

    assert conflict.status_code == 409
    assert conflict.json()["error"]["code"] == "idempotency_key_in_use"
    assert created.status_code == 200
    assert post(sandbox).headers["Idempotent-Replayed"] == "true"


def test_many_at_once_make_one_intent(sandbox: StripeProcess) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(sandbox), range(48)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(sandbox.ledger()["payment_intents"]) == 1


def test_a_decline_is_saved_as_well(sandbox: StripeProcess, client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(EUR_49_90)
    form = {"payment_method": "pm_card_chargeDeclined", "return_url": "http://127.0.0.1/"}
    path = f"payment_intents/{intent.id}/confirm"

    first, second = (post(sandbox, path, **form) for _ in range(2))

    assert (first.status_code, second.status_code) == (402, 402)
    assert second.content == first.content
    assert len(sandbox.ledger()["charges"]) == 1


def test_what_was_refused_before_it_ran_is_not_saved(sandbox: StripeProcess) -> None:
    assert post(sandbox, amount="x", currency="eur").status_code == 400
    assert post(sandbox).status_code == 200


def test_a_key_is_forgotten_after_a_day(sandbox: StripeProcess) -> None:
    first = post(sandbox).json()["id"]
    sandbox.control("clock", {"advance_seconds": 86_000})
    assert post(sandbox).json()["id"] == first

    sandbox.control("clock", {"advance_seconds": 400})

    assert post(sandbox).json()["id"] != first
    assert len(sandbox.ledger()["payment_intents"]) == 2


def test_a_key_has_at_most_255_characters(sandbox: StripeProcess) -> None:
    assert post(sandbox, key="k" * 256).status_code == 400
    assert post(sandbox, key="k" * 255).status_code == 200
