"""Payments at the provider: whatever dies and whenever, one payment is opened."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import lease, quick_booking, settling
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess


class DeathError(BaseException):
    """The worker dies between the provider's answer and its own record of it."""


@pytest.fixture
def order(client: FlaskClient, stripe_sandbox: StripeProcess) -> dict[str, Any]:
    """An order whose payment is staged."""
    shop.make_item(units=10)
    placed = shop.place(client)
    assert shop.start(client, placed).status_code == 202
    return placed


def statuses(stripe_sandbox: StripeProcess) -> list[str]:
    """Where the intents of our payments stand at the provider."""
    ours = {str(payment_id) for (payment_id,) in shop.sql("SELECT id FROM payment")}
    intents = stripe_sandbox.ledger()["payment_intents"]
    return [each["status"] for each in intents if each["metadata"].get("payment_id") in ours]


def die_while(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Let a worker do this kind of job and die before it can record anything; free its lease."""

    def die(*_: object, **__: object) -> None:
        raise DeathError

    with monkeypatch.context() as dying:
        dying.setattr(settling, "book", die)
        dying.setattr(quick_booking, "book", die)
        with pytest.raises(DeathError):
            shop.run_jobs(kind)
    shop.let_leases_expire()
    with shop.database() as session:
        assert lease.reap(session) == 1


def test_a_crash_after_the_answer_opens_one_payment(
    monkeypatch: pytest.MonkeyPatch,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    order: dict[str, Any],
) -> None:
    die_while(monkeypatch, "payments.create_intent")
    assert shop.sql("SELECT state, provider_payment_id FROM payment") == [("sent", None)]
    assert statuses(stripe_sandbox) == ["requires_payment_method"]

    drain()

    assert statuses(stripe_sandbox) == ["requires_payment_method"]
    assert shop.body_of(shop.start(client, order))["client_secret"]
    assert shop.sql("SELECT state, attempts FROM job") == [("done", 2)]


def test_a_crash_after_the_charge_charges_once(
    monkeypatch: pytest.MonkeyPatch,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    order: dict[str, Any],
) -> None:
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
    die_while(monkeypatch, "webhooks.apply")
    assert shop.look(client, order)["status"] == "pending"

    drain()

    assert shop.look(client, order)["status"] == "paid"
    assert statuses(stripe_sandbox) == ["succeeded"]
    charges = stripe_sandbox.ledger()["charges"]
    intent_id = secret.partition("_secret_")[0]
    assert [each["amount"] for each in charges if each["payment_intent"] == intent_id] == [3998]


@pytest.mark.parametrize("fault", ["accept_then_cut", "cut"])
def test_a_lost_answer_is_unknown_never_failed_and_asked_for_again_with_the_same_key(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], fault: str
) -> None:
    stripe_sandbox.fault("payment_intents.create", fault)
    shop.run_jobs("payments.create_intent")
    assert shop.sql("SELECT state FROM payment") == [("unknown",)]
    assert shop.start(client, order).status_code == 202

    shop.let_pass(minutes=1)
    drain()

    assert statuses(stripe_sandbox) == ["requires_payment_method"]
    assert shop.start(client, order).status_code == 200


def test_the_secret_is_had_even_if_the_worker_died_and_the_webhook_came_first(
    monkeypatch: pytest.MonkeyPatch,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    order: dict[str, Any],
) -> None:
    die_while(monkeypatch, "payments.create_intent")
    (made,) = (
        event.to_dict()
        for event in stripe_sandbox.client().v1.events.list({"limit": 5}).data
        if event.to_dict()["data"]["object"]["metadata"].get("order_id") == str(order["id"])
    )
    shop.deliver(client, made)
    shop.run_jobs("webhooks.apply")
    assert shop.sql("SELECT state, client_secret FROM payment") == [("open", None)]

    drain()

    assert shop.body_of(shop.start(client, order))["client_secret"]
    assert statuses(stripe_sandbox) == ["requires_payment_method"]


def test_what_the_provider_refuses_is_failed_at_once_and_a_new_payment_can_start(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    stripe_sandbox.fault("payment_intents.create", "fail_before", status=402)
    drain()
    assert shop.sql("SELECT state FROM payment") == [("failed",)]
    assert shop.sql("SELECT state FROM job") == [("dead",)]
    assert shop.look(client, order)["status"] == "pending"

    assert shop.open_payment(client, order)["client_secret"]
    assert statuses(stripe_sandbox) == ["requires_payment_method"]


def test_a_refusal_after_a_lost_answer_is_for_a_person(
    stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    stripe_sandbox.fault("payment_intents.create", "cut")
    shop.run_jobs("payments.create_intent")
    stripe_sandbox.fault("payment_intents.create", "fail_before", status=402)
    shop.let_pass(minutes=1)
    drain()
    assert shop.sql("SELECT state FROM payment") == [("unknown",)]
    assert shop.sql("SELECT needs_review FROM orders") == [(True,)]


@pytest.mark.parametrize("kind", ["payments.create_intent", "payments.close"])
def test_a_payment_that_could_not_be_settled_in_all_its_tries_is_for_a_person(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], kind: str
) -> None:
    if kind == "payments.close":
        shop.open_payment(client, order)
        shop.let_pass(minutes=16)
        shop.sweep()
    shop.sql("UPDATE job SET max_attempts = 1 WHERE kind = :kind RETURNING id", kind=kind)
    stripe_sandbox.fault("*", "fail_before", status=500)
    shop.run_jobs(kind)

    assert shop.sql("SELECT state FROM job WHERE kind = :kind", kind=kind) == [("dead",)]
    assert shop.sql("SELECT state, needs_review FROM orders") == [("pending", True)]
    assert shop.sql("SELECT held FROM stock_item") == [(2,)]
