"""What is stored of Stripe's words: what is named, whatever else is there or comes tomorrow."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from providers.stripe_kept import kept, kept_of_event
from tests.providers.stripe_examples import INTENT, REVIEW, THIN, Words, examples, read
from tests.stripe_spec import needs_spec

CANARY = "canary-ada@example.com"
MARK = {"app", "order_id", "payment_id", "refund_id"}
# Every field in which Stripe's text is stored, by object: a new one is a decision about privacy.
TEXTS = {
    "event": "account api_version context id object request.id request.idempotency_key type",
    "payment_intent": (
        "canceled_at cancellation_reason capture_method currency id last_payment_error.advice_code"
        " last_payment_error.charge last_payment_error.code last_payment_error.decline_code"
        " last_payment_error.message last_payment_error.type latest_charge object"
        " payment_method_types status"
    ),
    "charge": (
        "balance_transaction currency failure_code failure_message id object"
        " outcome.network_status outcome.reason outcome.type payment_intent"
        " payment_method_details.type status"
    ),
    "refund": (
        "balance_transaction charge currency destination_details.card.reference"
        " destination_details.card.reference_status destination_details.card.reference_type"
        " destination_details.card.type destination_details.type failure_reason id object"
        " payment_intent pending_reason reason status"
    ),
    "dispute": (
        "charge currency id network_reason_code object payment_intent reason status"
    ),
    "radar.early_fraud_warning": "charge fraud_type id object payment_intent",
    "review": "charge closed_reason id object opened_reason payment_intent reason",
    "v2.core.event": (
        "context created id object reason.request.id reason.request.idempotency_key reason.type"
        " related_object.id related_object.type type"
    ),
}  # fmt: skip


def seeded(node: Any) -> Any:
    """A copy with the canary in every text, in metadata, and in fields that nobody knows yet."""
    if isinstance(node, dict):
        grown = {name: seeded(value) for name, value in node.items()}
        kind = node.get("object")  # what it is, or what an event tells of
        known = {"object": kind} if isinstance(kind, str) else {}
        return grown | {"of_tomorrow": CANARY, "inside": {"name": CANARY}} | known
    if isinstance(node, list):
        return [seeded(each) for each in node]
    return CANARY if node is None or isinstance(node, str) else node


def texts(node: Any, path: str = "") -> Iterator[str]:
    """The paths at which the canary sits."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from texts(value, f"{path}.{name}".strip("."))
    elif isinstance(node, list):
        for each in node:
            yield from texts(each, path)
    elif node == CANARY:
        yield path


def unnamed(body: Words) -> set[str]:
    """Where text is stored of an event and its object that `TEXTS` and our mark do not name."""
    stored = kept_of_event(seeded(body))
    subject = stored.pop("data", {}).get("object", {})
    allowed = set(TEXTS[stored["object"]].split())
    found = set(texts(stored)) - allowed
    if subject:
        allowed = {*TEXTS[subject["object"]].split(), *(f"metadata.{name}" for name in MARK)}
        found |= set(texts(subject)) - allowed
    return found


@needs_spec
def test_no_text_is_stored_but_in_the_fields_that_are_named() -> None:
    stored_besides = {name: unnamed(example) for name, example in examples().items()}
    assert not any(stored_besides.values()), stored_besides


def test_no_text_of_a_thin_event_or_a_review_is_stored_but_in_the_fields_that_are_named() -> None:
    assert unnamed(THIN) == set()
    assert set(texts(kept(seeded(REVIEW)))) <= set(TEXTS["review"].split())


@needs_spec
def test_an_expanded_charge_is_kept_as_a_charge_is() -> None:
    charge = examples()["charge.failed"]["data"]["object"]
    intent = seeded(INTENT | {"latest_charge": charge})
    stored = kept(intent)["latest_charge"]
    assert stored == kept(seeded(charge))


@needs_spec
def test_what_is_stored_of_an_event_can_be_read_again() -> None:
    for example in examples().values():
        event = read(example)
        again = read(json.loads(json.dumps(event.body)))
        assert again.body == event.body
        for part in ("refund", "dispute", "attempt", "looks", "warning", "occurred_at"):
            assert getattr(again, part) == getattr(event, part)
        assert (again.payment is None) == (event.payment is None)
        assert again.provider_payment_id == event.provider_payment_id
        assert again.idempotency_key == event.idempotency_key


def test_of_an_object_that_nobody_knows_only_its_name_and_our_mark_are_kept() -> None:
    stranger = {"id": "cus_1", "object": "customer", "email": CANARY, "metadata": {"app": "a"}}
    assert kept(stranger) == {"id": "cus_1", "object": "customer", "metadata": {"app": "a"}}


def test_an_address_that_leads_a_browser_on_and_the_secret_are_not_kept() -> None:
    leading = {"next_action": {"redirect_to_url": {"url": "https://stripe.example/?s=x_secret_1"}}}
    assert "_secret_" not in json.dumps(kept(copy.deepcopy(INTENT) | leading))


def test_text_is_kept_without_what_a_database_cannot_hold() -> None:
    assert kept({"object": "charge", "failure_message": "a\0b"})["failure_message"] == "ab"
