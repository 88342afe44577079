"""Webhook reconciliation: events are applied once, in any order, and never dropped."""

import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient

from tasks.base import drain, perform
from tests import shop
from tests.sandbox.process import StripeProcess


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item(units=10)
    return shop.place(client)


@pytest.fixture
def secret(client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]) -> str:
    """The client secret of the order's payment, open at the provider."""
    return str(shop.open_payment(client, order)["client_secret"])


def received() -> list[Any]:
    return shop.sql("SELECT type, state FROM webhook_event ORDER BY id")


def looks() -> list[Any]:
    return shop.sql("SELECT state FROM job WHERE kind = 'payments.refresh'")


def payment_state() -> str:
    ((state,),) = shop.sql("SELECT state FROM payment")
    return str(state)


def test_events_in_reverse_order_end_where_the_provider_is(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.pay(stripe_sandbox, secret, "pm_card_chargeDeclined")
    shop.pay(stripe_sandbox, secret)
    events = shop.events_of(stripe_sandbox, secret)
    for name in ("succeeded", "payment_failed", "created"):
        shop.deliver(client, events[f"payment_intent.{name}"])
        drain()

    assert shop.look(client, order)["status"] == "paid"
    assert payment_state() == "succeeded"
    assert {state for _, state in received()} == {"applied"}
    assert shop.sql("SELECT code FROM payment_attempt") == [("generic_decline",)]


def test_a_decline_returns_the_payment_to_open_and_says_why(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.pay(stripe_sandbox, secret, "pm_card_authenticationRequired")
    intent_id = secret.partition("_secret_")[0]
    stripe_sandbox.control(f"payment_intents/{intent_id}/fail_authentication")
    events = shop.events_of(stripe_sandbox, secret)
    shop.deliver(client, events["payment_intent.requires_action"])
    drain()
    assert payment_state() == "requires_action"
    shop.deliver(client, events["payment_intent.payment_failed"])
    drain()

    assert payment_state() == "open"
    assert looks() == [("done",)]
    assert shop.look(client, order)["status"] == "pending"
    assert shop.sql("SELECT code FROM payment_attempt") == [
        ("payment_intent_authentication_failure",)
    ]


def test_a_cancellation_is_believed_only_after_a_look(
    client: FlaskClient, stripe_sandbox: StripeProcess, secret: str
) -> None:
    intent_id = secret.partition("_secret_")[0]
    lie = {**stripe_sandbox.client().v1.payment_intents.retrieve(intent_id).to_dict()}
    shop.deliver(
        client,
        shop.event_about({**lie, "status": "canceled"}, type="payment_intent.canceled"),
    )
    shop.run_jobs("webhooks.apply")
    assert (payment_state(), looks()) == ("open", [("ready",)])
    drain()
    assert payment_state() == "open"

    stripe_sandbox.control(f"payment_intents/{intent_id}/cancel")
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.canceled"])
    drain()
    assert payment_state() == "cancelled"
    assert shop.sql("SELECT state, held FROM orders, stock_item") == [("pending", 2)]


def test_an_event_that_comes_before_its_payment_is_parked_and_applied_when_it_appears(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    ((next_id,),) = shop.sql("SELECT nextval(pg_get_serial_sequence('payment', 'id')) + 1")
    intent = {
        "id": f"pi_{secrets.token_hex(8)}",
        "object": "payment_intent",
        "amount": 3998,
        "amount_received": 3998,
        "currency": "eur",
        "livemode": False,
        "metadata": {"app": "orders-test", "payment_id": str(next_id)},
        "status": "succeeded",
    }
    assert shop.deliver(client, shop.event_about(intent)).json == {"received": True}
    for _ in range(3):
        drain()
        assert received() == [("payment_intent.succeeded", "parked")]
        shop.let_pass(minutes=1)

    shop.start(client, order)
    shop.run_jobs("webhooks.apply")

    assert received() == [("payment_intent.succeeded", "applied")]
    assert shop.look(client, order)["status"] == "paid"
    drain()
    assert payment_state() == "succeeded"


def test_an_event_is_applied_once_whatever_becomes_of_its_doorbells(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.pay(stripe_sandbox, secret)
    event = shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"]
    answers = [shop.deliver(client, event).json for _ in range(3)]
    assert answers == [{"received": True}, {"skipped": True}, {"skipped": True}]
    ((job_id,),) = shop.sql("SELECT id FROM job WHERE kind = 'webhooks.apply'")
    for _ in range(3):
        perform(job_id)

    assert shop.sql("SELECT stock, held FROM stock_item") == [(8, 0)]
    assert shop.sql("SELECT attempts FROM job WHERE kind = 'webhooks.apply'") == [(1,)]
    assert shop.sql("SELECT order_id FROM webhook_event") == [(order["id"],)]


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (
            {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "livemode": False},
            "changes nothing here",
        ),
        (
            {
                "object": "payment_intent",
                "id": "pi_of_the_older_app",
                "amount": 1,
                "currency": "eur",
                "livemode": False,
                "status": "succeeded",
                "metadata": {"order_id": "7"},
            },
            "no payment of this shop",
        ),
    ],
    ids=["charge", "older app"],
)
def test_an_event_that_is_not_about_a_payment_of_ours_is_kept_and_ignored(
    client: FlaskClient, subject: dict[str, Any], reason: str
) -> None:
    kind = f"{subject['object']}.succeeded"
    shop.deliver(client, shop.event_about(subject, type=kind))
    drain()
    ((state, why),) = shop.sql("SELECT state, reason FROM webhook_event")
    assert state == "ignored"
    assert reason in why


def test_an_event_that_changes_nothing_costs_no_job(client: FlaskClient) -> None:
    charge = {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "livemode": False}
    shop.deliver(client, shop.event_about(charge, type="charge.succeeded"))
    assert received() == [("charge.succeeded", "ignored")]
    assert shop.sql("SELECT count(*) FROM job") == [(0,)]


def charge_of(stripe_sandbox: StripeProcess, secret: str) -> str:
    """The provider's id of the money that this payment brought."""
    intent = stripe_sandbox.client().v1.payment_intents.retrieve(secret.partition("_secret_")[0])
    return str(intent.latest_charge)


def told_of(
    client: FlaskClient, stripe_sandbox: StripeProcess, secret: str, *types: str
) -> list[Any]:
    """Deliver the newest events of these types about the payment, as often as they are named."""
    intent_id = secret.partition("_secret_")[0]
    events = [each.to_dict() for each in stripe_sandbox.client().v1.events.list({"limit": 100})]
    for name in types:
        event = next(
            each
            for each in events
            if each["type"] == name and intent_id in str(each["data"]["object"])
        )
        shop.deliver(client, event)
        shop.run_jobs("webhooks.apply")
    return shop.sql("SELECT kind FROM job WHERE dedupe_key LIKE 'look:%' ORDER BY id")


@pytest.fixture
def paid(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> str:
    """The client secret of a payment that has paid its order."""
    shop.pay(stripe_sandbox, secret)
    told_of(client, stripe_sandbox, secret, "payment_intent.succeeded")
    drain()
    return secret


def test_a_refund_in_the_dashboard_is_imported_from_its_events_in_any_order(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], paid: str
) -> None:
    stripe_sandbox.control(f"charges/{charge_of(stripe_sandbox, paid)}/refund", {"amount": 1000})
    told_of(client, stripe_sandbox, paid, "charge.refunded", "refund.created", "charge.refunded")
    drain()
    assert shop.sql("SELECT origin, state, amount_minor FROM refund") == [
        ("provider", "succeeded", 1000)
    ]
    assert shop.look(client, order)["status"] == "partially_refunded"


def test_without_its_own_events_a_refund_is_imported_by_a_look(
    client: FlaskClient, stripe_sandbox: StripeProcess, paid: str
) -> None:
    stripe_sandbox.control(f"charges/{charge_of(stripe_sandbox, paid)}/refund", {"amount": 3998})
    assert told_of(client, stripe_sandbox, paid, "charge.refunded") == [("refunds.refresh",)]
    drain()
    assert shop.sql("SELECT refunded_minor FROM orders") == [(3998,)]


def test_disputes_are_looked_at_and_end_where_the_provider_says(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], paid: str
) -> None:
    stripe_sandbox.control(f"charges/{charge_of(stripe_sandbox, paid)}/dispute")
    told_of(
        client,
        stripe_sandbox,
        paid,
        "charge.dispute.funds_withdrawn",
        "charge.dispute.created",
    )
    drain()
    ((dispute_id, due_by),) = shop.sql("SELECT provider_dispute_id, due_by FROM dispute")
    assert due_by is not None
    assert shop.look(client, order)["disputed"]

    stripe_sandbox.control(f"disputes/{dispute_id}/win")
    told_of(client, stripe_sandbox, paid, "charge.dispute.closed", "charge.dispute.created")
    drain()
    assert shop.sql("SELECT state FROM dispute") == [("won",)]
    assert not shop.look(client, order)["disputed"]
    assert shop.look(client, order)["status"] == "paid"


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("radar.early_fraud_warning.created", {"object": "radar.early_fraud_warning"}),
        ("review.opened", {"object": "review"}),
    ],
)
def test_a_warning_of_the_provider_is_for_a_person(
    client: FlaskClient, order: dict[str, Any], paid: str, kind: str, subject: dict[str, Any]
) -> None:
    intent_id = paid.partition("_secret_")[0]
    warning = {
        "id": "issfr_1",
        "payment_intent": intent_id,
        "livemode": False,
        "fraud_type": "misc",
        "reason": "rule",
        **subject,
    }
    for _ in range(2):
        shop.deliver(client, shop.event_about(warning, type=kind))
        drain()
    assert shop.look(client, order)["needs_review"]
    assert shop.look(client, order)["status"] == "paid"


def test_a_thin_event_has_everything_looked_at(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.pay(stripe_sandbox, secret)
    thin = {
        "id": "evt_thin_1",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "created": "2026-11-22T12:00:00.000Z",
        "livemode": False,
        "related_object": {
            "id": secret.partition("_secret_")[0],
            "type": "payment_intent",
            "url": "/v1/payment_intents",
        },
    }
    shop.deliver(client, thin)
    drain()
    assert received() == [("v1.payment_intent.succeeded", "applied")]
    assert shop.look(client, order)["status"] == "paid"


@pytest.mark.parametrize("is_paid", [False, True])
def test_a_second_intent_that_bears_a_payments_mark_is_not_waited_for(
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    order: dict[str, Any],
    secret: str,
    *,
    is_paid: bool,
) -> None:
    intents = stripe_sandbox.client().v1.payment_intents
    first = intents.retrieve(secret.partition("_secret_")[0])
    twin = intents.create({"amount": 3998, "currency": "eur", "metadata": first.metadata.to_dict()})
    if is_paid:
        shop.pay(stripe_sandbox, str(twin.client_secret))
    told = shop.events_of(stripe_sandbox, str(twin.client_secret))
    for event in told.values():
        shop.deliver(client, event)
    drain()

    assert received() == [(name, "ignored") for name in told]
    assert shop.sql("SELECT needs_review FROM orders") == [(is_paid,)]
    assert payment_state() == "open"
