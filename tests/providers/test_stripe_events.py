"""Every type of event that an order pipeline must handle, and what we make of each."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.base import MalformedEvent, ProviderEvent
from tests import shop
from tests.providers.stripe_examples import (
    FRAUD_WARNING,
    INTENT,
    THIN,
    Words,
    about_intent,
    documented,
    examples,
    read,
)
from tests.stripe_spec import needs_spec

TOLD = {
    "payment_intent.created": "payment open",
    "payment_intent.requires_action": "payment requires_action",
    "payment_intent.requires_action@klarna": "payment requires_action",
    "payment_intent.processing": "payment processing",
    "payment_intent.amount_capturable_updated": "payment authorised",
    "payment_intent.succeeded": "payment succeeded",
    "payment_intent.succeeded@klarna": "payment succeeded",
    "payment_intent.payment_failed": "payment open, insufficient_funds",
    "payment_intent.payment_failed@authentication": (
        "payment open, payment_intent_authentication_failure"
    ),
    "payment_intent.canceled": "payment cancelled",
    "payment_intent.canceled@expired_authorization": "payment cancelled",
    "charge.succeeded": "",
    "charge.updated": "",
    "charge.failed": "attempt insufficient_funds",
    "charge.captured": "look at payment",
    "charge.expired": "look at payment",
    "charge.refunded": "look at refunds",
    "charge.refunded@partial": "look at refunds",
    "refund.created": "refund succeeded",
    "refund.created@pending": "refund pending",
    "refund.updated": "refund succeeded",
    "refund.updated@succeeded": "refund succeeded",
    "refund.updated@requires_action": "refund pending",
    "refund.updated@canceled": "refund cancelled, merchant_request",
    "refund.updated@failed": "refund failed, lost_or_stolen_card",
    "refund.failed": "refund failed, lost_or_stolen_card",
    "charge.refund.updated": "refund failed, lost_or_stolen_card",
    "charge.dispute.created": "dispute open",
    "charge.dispute.created@inquiry": "dispute open, refundable",
    "charge.dispute.updated": "dispute open",
    "charge.dispute.funds_withdrawn": "dispute open",
    "charge.dispute.funds_reinstated": "dispute won",
    "charge.dispute.closed": "dispute lost",
    "charge.dispute.closed@won": "dispute won",
    "charge.dispute.closed@warning_closed": "dispute closed, refundable",
    "radar.early_fraud_warning.created": "the buyer's bank warns of fraud: made_with_stolen_card",
    "review.opened": "Stripe wants the payment reviewed: rule",
    "v1.payment_intent.succeeded": "look at payment, look at refunds",
}


def in_short(event: ProviderEvent) -> str:
    """All that an event tells."""
    said = [f"look at {subject}" for subject in sorted(event.looks)]
    if event.payment:
        said.append(f"payment {event.payment.state}")
        said += [event.payment.failure.code] if event.payment.failure else []
    if event.refund:
        said.append(f"refund {event.refund.state}")
        said += [event.refund.failure] if event.refund.failure else []
    if event.dispute:
        said.append(f"dispute {event.dispute.state}")
        said += ["refundable"] if event.dispute.is_refundable else []
    if event.attempt:
        said.append(f"attempt {event.attempt.code}")
    if event.warning:
        said.append(event.warning)
    return ", ".join(said)


@needs_spec
@pytest.mark.parametrize("name", TOLD)
def test_each_type_of_event_tells_what_it_should(name: str) -> None:
    example = examples()[name]
    event = read(example)
    assert (event.event_id, event.type) == (example["id"], name.partition("@")[0])
    assert in_short(event) == TOLD[name]
    assert event.provider_payment_id in ("pi_3Rexample000000001Aa", "pi_1")
    assert (event.foreign_because, event.marked_payment_id) == (None, None)


@needs_spec
def test_every_example_of_stripes_is_in_the_table() -> None:
    assert set(documented()) <= set(TOLD)


@needs_spec
def test_what_a_refund_and_a_dispute_tell_is_whole() -> None:
    refund = read(examples()["refund.updated@failed"]).refund
    assert refund is not None
    assert (refund.provider_refund_id, refund.provider_payment_id) == (
        "re_3Rexample000000001Dd",
        "pi_3Rexample000000001Aa",
    )
    assert (refund.amount_minor, refund.currency) == (4990, "EUR")
    assert refund.reason == "requested_by_customer"
    assert refund.created_at == datetime(2026, 6, 2, 8, tzinfo=UTC)
    dispute = read(examples()["charge.dispute.created"]).dispute
    assert dispute is not None
    assert (dispute.provider_dispute_id, dispute.provider_payment_id) == (
        "du_1Rexample000000001Ee",
        "pi_3Rexample000000001Aa",
    )
    assert (dispute.reason, dispute.status) == ("product_not_received", "needs_response")
    assert (dispute.amount_minor, dispute.currency) == (4990, "EUR")
    assert dispute.due_by == datetime(2026, 6, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "subject",
    [
        {"id": "cus_1", "object": "customer"},
        {"id": "in_1", "object": "invoice", "payment_intent": {"odd": []}, "metadata": None},
        {"object": "balance"},
        INTENT,
    ],
    ids=["customer", "invoice", "without id", "intent"],
)
@pytest.mark.parametrize("kind", ["customer.created", "charge.of_tomorrow", "brand.new", "word"])
def test_a_type_that_nobody_has_heard_of_tells_nothing(subject: Words, kind: str) -> None:
    event = read(shop.event_about(subject, type=kind))
    assert (event.type, in_short(event), event.provider_payment_id) == (kind, "", None)


def test_an_intents_event_of_tomorrow_tells_how_the_payment_is() -> None:
    event = about_intent(type="payment_intent.of_tomorrow")
    assert in_short(event) == "payment open"


def test_an_event_bears_the_mark_of_our_payment_and_the_key_of_its_cause() -> None:
    event = about_intent(request={"id": "req_1", "idempotency_key": "test-pi-7"})
    assert (event.marked_payment_id, event.idempotency_key) == (7, "test-pi-7")
    assert event.provider_payment_id == "pi_1"


def test_a_thin_event_says_which_payment_to_look_at_and_the_key_of_its_cause() -> None:
    event = read(THIN)
    assert (event.provider_payment_id, event.idempotency_key) == ("pi_1", "test-pi-7")
    assert event.occurred_at == datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
    assert event.payment is None


@pytest.mark.parametrize(
    "related",
    [None, {"id": "meter_1", "type": "billing.meter", "url": "/v1/billing/meters/meter_1"}],
)
def test_a_thin_event_about_something_else_tells_nothing(related: Words | None) -> None:
    event = read(THIN | {"related_object": related, "reason": None})
    assert (in_short(event), event.provider_payment_id, event.idempotency_key) == ("", None, None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (shop.event_about(INTENT, livemode=True), "mode"),
        (shop.event_about(INTENT, account="acct_other"), "account"),
        (shop.event_about(INTENT | {"metadata": {"app": "orders-other"}}), "application"),
        (THIN | {"livemode": True}, "mode"),
        (THIN | {"context": "acct_other"}, "account"),
    ],
    ids=["mode", "account", "application", "thin mode", "thin account"],
)
def test_an_event_of_another_mode_account_or_application_is_none_of_ours(
    body: Words, why: str
) -> None:
    assert why in (read(body).foreign_because or "")


@needs_spec
def test_a_refund_of_another_application_is_foreign_and_one_of_the_dashboard_is_not() -> None:
    made = copy.deepcopy(examples()["refund.created"])
    made["data"]["object"]["metadata"] = {"app": "orders-other", "refund_id": "7"}
    other = read(made)
    assert "application" in (other.foreign_because or "")
    assert other.refund is not None
    assert other.refund.marked_refund_id is None

    made["data"]["object"]["metadata"] = {}
    assert read(made).foreign_because is None


@needs_spec
def test_our_refund_names_itself_and_its_payment() -> None:
    made = copy.deepcopy(examples()["refund.created"])
    mark = {"app": "orders-test", "order_id": "1", "payment_id": "7", "refund_id": "9"}
    made["data"]["object"]["metadata"] = mark
    event = read(made)
    assert event.refund is not None
    assert (event.marked_payment_id, event.refund.marked_refund_id) == (7, 9)


@pytest.mark.parametrize("marked", ["", "seven", "-7", "7.0"])
def test_a_mark_that_is_no_payment_id_is_no_mark(marked: str) -> None:
    metadata = {"app": "orders-test", "payment_id": marked}
    event = about_intent(data={"object": INTENT | {"metadata": metadata}})
    assert event.marked_payment_id is None


def test_an_event_of_a_status_of_tomorrow_is_not_refused() -> None:
    event = about_intent(data={"object": INTENT | {"status": "requires_patience"}})
    assert event.payment is not None
    assert event.payment.state == "processing"


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"object": {"id": "pi_1", "object": "payment_intent"}}},
        {"data": {"object": {"id": "ch_1", "object": "charge"}}},
        {"data": {"object": INTENT | {"currency": "tau"}}},
        {"data": {"object": []}},
        {"data": None},
        {"created": "today"},
        {"id": "evt_\0"},
        {"object": "v2.core.event"},
        {"type": "refund.created"},
        {"type": "charge.dispute.created"},
        {"type": "review.opened"},
    ],
    ids=str,
)
def test_an_event_that_cannot_be_read_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        about_intent(**changes)


def test_an_object_in_place_of_its_id_is_as_good() -> None:
    warning = FRAUD_WARNING | {"payment_intent": INTENT}
    event = read(shop.event_about(warning, type="radar.early_fraud_warning.created"))
    assert event.provider_payment_id == "pi_1"
