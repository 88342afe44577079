"""Stripe's words in ours: every status, every event, and nothing secret kept."""

import json
from functools import cache
from typing import Any

import pytest

import settings
from providers import stripe_kept, stripe_objects
from providers.base import InvalidSignature, MalformedEvent, OutcomeUnknown, ProviderEvent
from providers.stripe import Stripe
from tests import shop
from tests.stripe_spec import SPECS, needs_spec

INTENT = {
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
SECRETS = ("client_secret", "_secret_")


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Example events by type, as Stripe makes them."""
    events: dict[str, dict[str, Any]] = json.loads((SPECS / "stripe.events.json").read_text())[
        "events"
    ]
    return events


@cache
def statuses() -> list[str]:
    """What Stripe's document says a payment intent's status may be."""
    document = json.loads((SPECS / "stripe.openapi.json").read_text())
    names: list[str] = document["components"]["schemas"]["payment_intent"]["properties"]["status"][
        "enum"
    ]
    return names


def read(**changes: Any) -> ProviderEvent:
    """An event about `INTENT` as our adapter reads it."""
    return Stripe(settings.current()).read_event(shop.event_about(INTENT, **changes))


@needs_spec
def test_every_status_that_stripe_documents_has_its_word_here() -> None:
    states = {
        status: stripe_objects.payment({**INTENT, "status": status}).state for status in statuses()
    }
    assert states == {
        "requires_payment_method": "open",
        "requires_confirmation": "open",
        "requires_action": "requires_action",
        "processing": "processing",
        "requires_capture": "authorised",
        "succeeded": "succeeded",
        "canceled": "cancelled",
    }


def test_a_status_of_tomorrow_is_unknown_and_its_event_is_left_with_stripe() -> None:
    with pytest.raises(OutcomeUnknown):
        stripe_objects.payment({**INTENT, "status": "requires_patience"})
    with pytest.raises(MalformedEvent):
        read(data={"object": {**INTENT, "status": "requires_patience"}})


@needs_spec
def test_every_example_event_is_read_and_tells_of_a_payment_if_it_is_about_one() -> None:
    adapter = Stripe(settings.current())
    for name, example in examples().items():
        event = adapter.read_event(example)
        assert (event.event_id, event.type) == (example["id"], example["type"])
        assert (event.payment is not None) == name.startswith("payment_intent.")
        assert event.foreign_because is None


@needs_spec
def test_what_is_kept_of_an_event_holds_no_secret_and_can_be_read_again() -> None:
    adapter = Stripe(settings.current())
    for example in examples().values():
        kept = adapter.read_event(example).body
        assert not [secret for secret in SECRETS if secret in json.dumps(kept)]
        again = adapter.read_event(kept)
        assert again.payment is None or again.payment.client_secret is None
        assert again.body == kept


def test_no_secret_is_kept_however_deep_it_lies() -> None:
    deep = {
        "last_payment_error": {"payment_intent": INTENT},
        "charges": [{"client_secret": "ch_secret_1", "billing_details": {"name": "Ada"}}],
        "next_action": {"redirect_to_url": {"url": "https://stripe.example/?s=src_secret_1"}},
        "receipt_email": "ada@example.com",
        "id": "pi_1",
        "object": "payment_intent",
    }
    kept = json.dumps(stripe_kept.kept(deep))
    assert not [word for word in (*SECRETS, "Ada", "ada@example.com") if word in kept]
    assert "pi_1" in kept


def test_an_event_bears_the_mark_of_our_payment_and_the_key_of_its_cause() -> None:
    event = read(request={"id": "req_1", "idempotency_key": "test-pi-7"})
    assert (event.marked_payment_id, event.idempotency_key) == (7, "test-pi-7")
    assert event.payment is not None
    assert event.payment.provider_payment_id == "pi_1"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"livemode": True}, "mode"),
        ({"account": "acct_other"}, "account"),
        ({"data": {"object": {**INTENT, "metadata": {"app": "orders-other"}}}}, "application"),
    ],
    ids=["mode", "account", "application"],
)
def test_an_event_of_another_mode_account_or_application_is_none_of_ours(
    changes: dict[str, Any], why: str
) -> None:
    assert why in (read(**changes).foreign_because or "")


@pytest.mark.parametrize("marked", ["", "seven", "-7", "7.0"])
def test_a_mark_that_is_no_payment_id_is_no_mark(marked: str) -> None:
    metadata = {"app": "orders-test", "payment_id": marked}
    assert read(data={"object": {**INTENT, "metadata": metadata}}).marked_payment_id is None


BODY = json.dumps(shop.event_about(INTENT)).encode()


def parse(body: bytes, headers: dict[str, str]) -> ProviderEvent:
    return Stripe(settings.current()).parse_webhook(body, headers)


@pytest.mark.parametrize("secret", ["whsec_of_the_tests", "whsec_the_one_before"])
def test_a_delivery_is_believed_under_the_present_and_the_former_secret(secret: str) -> None:
    assert parse(BODY, shop.signature(BODY, secret)).type == "payment_intent.succeeded"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=soon,v1=00"},
        shop.signature(BODY, "whsec_of_somebody_else"),
        shop.signature(BODY + b" "),
        shop.signature(BODY, age=3600),
        shop.signature(BODY, age=-3600),
    ],
    ids=["none", "empty", "odd", "other secret", "other body", "stale", "future"],
)
def test_a_delivery_that_is_not_stripes_or_not_of_now_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        parse(BODY, headers)


def test_a_body_that_is_no_text_cannot_be_signed() -> None:
    with pytest.raises(InvalidSignature):
        parse(b"\xff\xfe", shop.signature(b"\xff\xfe"))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"id": "evt_1"}', b"not json"])
def test_a_signed_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse(body, shop.signature(body))
