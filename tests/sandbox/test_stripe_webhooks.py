"""Webhooks: signed snapshots, delivered again and again, in any order, or not at all."""

import json
import threading
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.process import StripeProcess, WebhookEndpoint
from tests.stripe_spec import needs_spec, validate_event

EUR_49_90: Any = {"amount": 4990, "currency": "eur", "metadata": {"payment_id": "7"}}


def open_intent(client: stripe.StripeClient) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90, {"idempotency_key": "key-of-payment-7"})


def statuses(sandbox: StripeProcess) -> list[str]:
    return [delivery["status"] for delivery in sandbox.read("deliveries")]


@pytest.mark.parametrize(
    ("card", "kinds"),
    [
        ("pm_card_visa", ["charge.succeeded", "payment_intent.succeeded"]),
        ("pm_card_chargeDeclined", ["charge.failed", "payment_intent.payment_failed"]),
        ("pm_card_authenticationRequired", ["payment_intent.requires_action"]),
        ("pm_card_processing", ["charge.pending", "payment_intent.processing"]),
    ],
)
def test_each_step_is_told_by_a_signed_event(
    sandbox: StripeProcess,
    client: stripe.StripeClient,
    endpoint: WebhookEndpoint,
    card: str,
    kinds: list[str],
) -> None:
    sandbox.confirm(open_intent(client), card)
    endpoint.wait_for(lambda: len(endpoint.received) == 1 + len(kinds))

    events = endpoint.events(sandbox)

    assert sorted(event.type for event in events) == sorted(["payment_intent.created", *kinds])
    assert {event.api_version for event in events} == {"2026-10-28.endive"}
    assert not any("account" in event or event.livemode for event in events)


def test_an_event_tells_which_request_caused_it(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    open_intent(client)
    endpoint.wait_for(lambda: len(endpoint.received) == 1)

    (event,) = endpoint.events(sandbox)
    (request,) = sandbox.read("requests?endpoint=payment_intents.create")
    assert event.request is not None
    assert event.request.id == request["id"]
    assert event.request.idempotency_key == "key-of-payment-7"


def test_an_event_shows_its_object_as_it_was(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = open_intent(client)
    sandbox.confirm(intent)

    (created,) = client.v1.events.list({"type": "payment_intent.created"}).data
    assert created.data.object["status"] == "requires_payment_method"
    assert client.v1.events.retrieve(created.id).data.object["id"] == intent.id
    assert len(client.v1.events.list({"types": ["charge.succeeded", "charge.failed"]}).data) == 1


@needs_spec
def test_every_event_is_one_that_stripe_could_send(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    for card in ("visa", "chargeDeclined", "authenticationRequired", "processing"):
        sandbox.confirm(open_intent_of(client), f"pm_card_{card}")
    for card in ("createDispute", "pendingRefund", "refundFail"):
        intent = open_intent_of(client)
        sandbox.confirm(intent, f"pm_card_{card}")
        if card != "createDispute":
            refund = client.v1.refunds.create({"payment_intent": intent.id})
            sandbox.control(f"refunds/{refund.id}/fail")
    manual = client.v1.payment_intents.create(EUR_49_90 | {"capture_method": "manual"})
    sandbox.confirm(manual)
    client.v1.payment_intents.capture(manual.id)
    left = client.v1.payment_intents.create(EUR_49_90 | {"capture_method": "manual"})
    sandbox.confirm(left)
    sandbox.control("clock", {"advance_seconds": 8 * 86400})

    events = list(client.v1.events.list({"limit": 100}).auto_paging_iter())

    for event in events:
        validate_event(json.loads(str(event)))
    assert len({event.type for event in events}) == 20


def open_intent_of(client: stripe.StripeClient) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90)


def test_a_refused_delivery_is_tried_again_with_a_new_signature(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    endpoint.statuses = [500]
    open_intent(client)
    endpoint.wait_for(lambda: len(endpoint.received) == 2)

    first, second = endpoint.events(sandbox)

    assert first.id == second.id
    assert endpoint.received[0][1] != endpoint.received[1][1]


def test_a_delivery_waits_for_an_endpoint_that_is_down(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    with WebhookEndpoint() as gone:
        sandbox.control("config", {"webhook_url": gone.url})
    intent = open_intent(client)
    with WebhookEndpoint() as back:
        sandbox.control("config", {"webhook_url": back.url})
        back.wait_for(lambda: len(back.received) == 1)
        (event,) = back.events(sandbox)

    assert event.data.object["id"] == intent.id


def test_a_doubled_delivery_arrives_at_the_same_time(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "double", "copies": 5})
    endpoint.gate = threading.Barrier(5)

    open_intent(client)

    endpoint.wait_for(lambda: len(endpoint.received) == 5)
    assert len({event.id for event in endpoint.events(sandbox)}) == 1


def test_a_dropped_event_is_only_in_the_list(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "drop"})
    open_intent(client)
    sandbox.control("deliveries", {"mode": "normal"})
    last = client.v1.payment_intents.create(EUR_49_90)
    endpoint.wait_for(lambda: len(endpoint.received) == 1)

    (event,) = endpoint.events(sandbox)
    assert event.data.object["id"] == last.id
    assert "dropped" in statuses(sandbox)
    assert len(client.v1.events.list().data) == 2


def test_held_events_come_when_they_are_released(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "hold"})
    sandbox.confirm(open_intent(client))
    assert statuses(sandbox) == ["held"] * 3
    assert endpoint.received == []

    sandbox.control("deliveries/release")

    endpoint.wait_for(lambda: len(endpoint.received) == 3)


def test_reordered_events_all_come_but_not_in_order(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "reorder", "seconds": 1})
    made = [client.v1.payment_intents.create(EUR_49_90).id for _ in range(20)]

    endpoint.wait_for(lambda: len(endpoint.received) == 20)

    came = [event.data.object["id"] for event in endpoint.events(sandbox)]
    assert came != made
    assert sorted(came) == sorted(made)


def test_a_delayed_event_comes_after_those_that_are_not(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "delay", "seconds": 3600})
    open_intent(client)
    sandbox.control("deliveries", {"mode": "delay", "seconds": 0.1})
    quick = client.v1.payment_intents.create(EUR_49_90)

    endpoint.wait_for(lambda: len(endpoint.received) == 1)

    (event,) = endpoint.events(sandbox)
    assert event.data.object["id"] == quick.id
    assert statuses(sandbox)[1] == "pending"


def test_an_event_is_delivered_again_on_order_with_the_endpoints_answers(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    open_intent(client)
    endpoint.wait_for(lambda: len(endpoint.received) == 1)
    (event,) = endpoint.events(sandbox)
    endpoint.gate, endpoint.statuses = threading.Barrier(4), [400]

    answers = sandbox.control(f"events/{event.id}/deliver", {"copies": 4})

    assert sorted(answer["status"] for answer in answers) == [200, 200, 200, 400]
    assert len(endpoint.received) == 5


def test_an_event_that_was_taken_is_not_pending_any_more(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("deliveries", {"mode": "hold"})
    open_intent(client)
    assert len(client.v1.events.list({"delivery_success": False}).data) == 1
    sandbox.control("deliveries/release")
    endpoint.wait_for(lambda: len(endpoint.received) == 1)
    while statuses(sandbox) != ["delivered"]:
        assert statuses(sandbox) in (["sending"], ["delivered"])
    (event,) = client.v1.events.list({"delivery_success": True}).data
    assert event.pending_webhooks == 0


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("warn", "radar.early_fraud_warning.created"), ("review", "review.opened")],
)
def test_a_warning_about_a_charge_is_an_event(
    sandbox: StripeProcess, client: stripe.StripeClient, verb: str, kind: str
) -> None:
    intent = open_intent(client)
    sandbox.confirm(intent)
    (charge,) = sandbox.ledger()["charges"]
    sandbox.control(f"charges/{charge['id']}/{verb}")

    (event,) = client.v1.events.list({"type": kind}).data
    told: Any = event.data.object
    assert (told["charge"], told["payment_intent"]) == (charge["id"], intent.id)


def test_events_are_told_in_the_thin_form_as_well_if_one_wants(
    sandbox: StripeProcess, client: stripe.StripeClient, endpoint: WebhookEndpoint
) -> None:
    sandbox.control("config", {"thin_events": True})
    intent = open_intent(client)
    endpoint.wait_for(lambda: len(endpoint.received) == 2)

    ((body, signature),) = (each for each in endpoint.received if b"v2.core.event" in each[0])
    thin: Any = client.parse_event_notification(body, signature, sandbox.webhook_secret)
    assert thin.type == "v1.payment_intent.created"
    assert (thin.related_object.id, thin.related_object.type) == (intent.id, "payment_intent")
    assert thin.reason.request.idempotency_key == "key-of-payment-7"
    assert [each.type for each in client.v1.events.list().data] == ["payment_intent.created"]


def test_it_signs_an_event_that_was_made_by_hand(sandbox: StripeProcess) -> None:
    body = b'{"object": "event", "id": "evt_made_by_hand"}'
    signed = requests.post(f"{sandbox.url}/_control/signatures", data=body, timeout=10).json()
    stripe.Webhook.construct_event(body, signed["Stripe-Signature"], sandbox.webhook_secret)
