"""Refunds and disputes: money on its way back."""

from contextlib import nullcontext
from typing import Any

import pytest
import stripe

from tests.sandbox.process import StripeProcess, WebhookEndpoint


def paid(
    sandbox: StripeProcess, client: stripe.StripeClient, card: str = "pm_card_visa"
) -> stripe.PaymentIntent:
    intent = client.v1.payment_intents.create({"amount": 4990, "currency": "eur"})
    sandbox.confirm(intent, card)
    return client.v1.payment_intents.retrieve(intent.id)


def refunded(sandbox: StripeProcess) -> list[int]:
    return [charge["amount_refunded"] for charge in sandbox.ledger()["charges"]]


def test_partial_refunds_add_up_and_never_pass_the_charge(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = paid(sandbox, client)
    refund = client.v1.refunds.create
    first = refund({"payment_intent": intent.id, "amount": 1000, "metadata": {"refund_id": "1"}})
    assert (first.status, first.amount, first.charge) == ("succeeded", 1000, intent.latest_charge)

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        refund({"payment_intent": intent.id, "amount": 3991})
    rest = refund({"charge": str(intent.latest_charge), "reason": "requested_by_customer"})
    assert rest.amount == 3990

    with pytest.raises(stripe.InvalidRequestError) as too_late:
        refund({"payment_intent": intent.id})
    assert too_late.value.code == "charge_already_refunded"
    assert refunded(sandbox) == [4990]
    assert client.v1.charges.retrieve(str(intent.latest_charge)).refunded is True


def test_refunds_are_found_by_their_payment(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    one, other = paid(sandbox, client), paid(sandbox, client)
    made = client.v1.refunds.create({"payment_intent": one.id, "amount": 10})
    client.v1.refunds.create({"payment_intent": other.id, "amount": 20})

    def amounts(**params: Any) -> list[int]:
        filters: Any = params
        return [refund.amount for refund in client.v1.refunds.list(filters).data]

    assert amounts(payment_intent=one.id) == [10]
    assert amounts(charge=str(other.latest_charge)) == [20]
    assert amounts() == [20, 10]
    assert amounts(created={"gt": made.created + 3600}) == []
    charges = client.v1.charges.list({"payment_intent": one.id}).data
    assert [charge.id for charge in charges] == [one.latest_charge]
    changed = client.v1.refunds.update(made.id, {"metadata": {"refund_id": "5"}})
    assert client.v1.refunds.retrieve(made.id).metadata == changed.metadata


def test_what_was_never_paid_cannot_be_refunded(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    unpaid = client.v1.payment_intents.create({"amount": 4990, "currency": "eur"})
    for params in ({"payment_intent": unpaid.id}, {"payment_intent": "pi_none"}, {}):
        wanted: Any = params
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create(wanted)
    assert sandbox.ledger()["refunds"] == []


def test_a_pending_refund_counts_until_the_bank_is_done(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = paid(sandbox, client, "pm_card_pendingRefund")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "pending"
    assert refunded(sandbox) == [4990]

    assert sandbox.control(f"refunds/{refund.id}/succeed")["status"] == "succeeded"
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_refund_may_fail_although_it_had_succeeded(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = paid(sandbox, client, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"

    failed = sandbox.control(f"refunds/{refund.id}/fail")

    assert (failed["status"], failed["failure_reason"]) == ("failed", "expired_or_canceled_card")
    assert refunded(sandbox) == [0]
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 4990


@pytest.mark.parametrize(
    ("card", "status", "last"),
    [
        ("pm_card_pendingRefund", "succeeded", "charge.refund.updated"),
        ("pm_card_refundFail", "failed", "refund.failed"),
    ],
)
def test_the_cards_settle_their_refunds_by_themselves(
    sandbox: StripeProcess, endpoint: WebhookEndpoint, card: str, status: str, last: str
) -> None:
    client = sandbox.client()
    sandbox.control("config", {"refund_seconds": 0.1})
    refund = client.v1.refunds.create({"payment_intent": paid(sandbox, client, card).id})

    endpoint.wait_for(lambda: last in [each.type for each in endpoint.events(sandbox)])

    assert client.v1.refunds.retrieve(refund.id).status == status


def test_the_dashboard_refunds_without_a_request(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = paid(sandbox, client)
    made = sandbox.control(f"charges/{intent.latest_charge}/refund", {"amount": 90})

    (event,) = client.v1.events.list({"type": "refund.created"}).data
    assert (made["amount"], refunded(sandbox)) == (90, [90])
    assert event.request is not None
    assert (event.request.id, event.request.idempotency_key) == (None, None)


@pytest.mark.parametrize(("verb", "status"), [("win", "won"), ("lose", "lost")])
def test_a_dispute_blocks_refunds_and_ends(
    sandbox: StripeProcess, client: stripe.StripeClient, verb: str, status: str
) -> None:
    intent = paid(sandbox, client, "pm_card_createDispute")
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"

    assert sandbox.control(f"disputes/{dispute.id}/{verb}")["status"] == status

    kinds = [event.type for event in client.v1.events.list({"limit": 3}).data]
    assert "charge.dispute.closed" in kinds
    assert ("charge.dispute.funds_reinstated" in kinds) == (status == "won")
    assert refunded(sandbox) == [0]
    with nullcontext() if status == "won" else pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    assert refunded(sandbox) == [100 if status == "won" else 0]


def test_any_charge_can_be_disputed_once(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = paid(sandbox, client)
    sandbox.control(f"charges/{intent.latest_charge}/dispute")
    with pytest.raises(Exception, match="400"):
        sandbox.control(f"charges/{intent.latest_charge}/dispute")
    assert [charge["disputed"] for charge in sandbox.ledger()["charges"]] == [True]
