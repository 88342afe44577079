"""Example events as Stripe makes them, and the reader that the tests read them with."""

import json
from functools import cache
from typing import Any

import settings
from providers.base import ProviderEvent
from providers.stripe import Stripe
from tests import shop
from tests.stripe_spec import SPECS

Words = dict[str, Any]

INTENT: Words = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 3998,
    "amount_received": 0,
    "client_secret": "pi_1_secret_x",
    "currency": "eur",
    "livemode": False,
    "metadata": {"app": "orders-test", "payment_id": "7"},
    "status": "requires_payment_method",
}
FRAUD_WARNING: Words = {
    "id": "issfr_1",
    "object": "radar.early_fraud_warning",
    "actionable": True,
    "charge": "ch_1",
    "created": 1780300800,
    "fraud_type": "made_with_stolen_card",
    "livemode": False,
    "payment_intent": "pi_1",
}
REVIEW: Words = {
    "id": "prv_1",
    "object": "review",
    "billing_zip": "12345",
    "charge": "ch_1",
    "closed_reason": None,
    "created": 1780300800,
    "ip_address": "203.0.113.7",
    "ip_address_location": {"city": "Town", "country": "IE"},
    "livemode": False,
    "open": True,
    "opened_reason": "rule",
    "payment_intent": "pi_1",
    "reason": "rule",
    "session": {"browser": "Chrome"},
}
THIN: Words = {
    "id": "evt_test_1",
    "object": "v2.core.event",
    "context": None,
    "created": "2026-11-22T10:00:00.123Z",
    "livemode": False,
    "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "test-pi-7"}},
    "related_object": {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"},
    "snapshot_event": "evt_1",
    "type": "v1.payment_intent.succeeded",
}


@cache
def documented() -> dict[str, Words]:
    """Example events by type, and variant, of Stripe's own making."""
    events: dict[str, Words] = json.loads((SPECS / "stripe.events.json").read_text())["events"]
    return events


@cache
def examples() -> dict[str, Words]:
    """An example of everything that is read: Stripe's own and those that it has no example of."""
    ours = {
        "radar.early_fraud_warning.created": shop.event_about(
            FRAUD_WARNING, type="radar.early_fraud_warning.created"
        ),
        "review.opened": shop.event_about(REVIEW, type="review.opened"),
        "v1.payment_intent.succeeded": THIN,
    }
    return {**documented(), **ours}


@cache
def statuses(name: str) -> list[str]:
    """What Stripe's document says the status of such an object may be."""
    document = json.loads((SPECS / "stripe.openapi.json").read_text())
    words: list[str] = document["components"]["schemas"][name]["properties"]["status"]["enum"]
    return words


def read(body: Words) -> ProviderEvent:
    """An event as our adapter reads it."""
    return Stripe(settings.current()).read_event(body)


def about_intent(**changes: Any) -> ProviderEvent:
    """An event about `INTENT` as our adapter reads it."""
    return read(shop.event_about(INTENT, **changes))
