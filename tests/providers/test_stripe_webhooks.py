"""Deliveries: whom we believe, and what is no event."""

import json
from collections.abc import Iterator

import pytest

import settings
from providers.base import InvalidSignature, MalformedEvent, ProviderEvent
from providers.stripe import Stripe
from tests import shop
from tests.providers.stripe_examples import INTENT
from tests.providers.stripe_world import StripeWorld
from tests.providers.world import opened
from tests.sandbox.process import StripeProcess, WebhookEndpoint

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


@pytest.fixture
def endpoint(stripe_sandbox: StripeProcess) -> Iterator[WebhookEndpoint]:
    with WebhookEndpoint() as webhooks:
        stripe_sandbox.control("config", {"webhook_url": webhooks.url, "thin_events": True})
        yield webhooks
        stripe_sandbox.control("config", {"webhook_url": None, "thin_events": False})


def test_what_is_delivered_is_believed_in_both_forms(
    stripe_sandbox: StripeProcess, endpoint: WebhookEndpoint
) -> None:
    world = StripeWorld(stripe_sandbox)
    asked = opened(world)
    endpoint.wait_for(lambda: len(endpoint.received) == 2)
    world.over()

    events = [parse(body, {"Stripe-Signature": by}) for body, by in endpoint.received]

    assert {event.type for event in events} == {
        "payment_intent.created",
        "v1.payment_intent.created",
    }
    assert {event.provider_payment_id for event in events} == {asked.provider_payment_id}
    assert {event.idempotency_key for event in events} == {asked.key}
