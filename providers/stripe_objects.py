"""Stripe's objects in our words. Pure translation, no calls."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from models.intents import (
    DisputeSnapshot,
    DisputeState,
    Failure,
    ListedPayment,
    PaymentSnapshot,
    PaymentState,
    RefundSnapshot,
    RefundState,
)
from providers.stripe_kept import kept
from providers.stripe_money import from_stripe

Words = Mapping[str, Any]
"""An object as Stripe wrote it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PAYMENT_STATES: Mapping[str, PaymentState] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "authorised",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}
_REFUND_STATES: Mapping[str, RefundState] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}
# Whatever else Stripe calls a payment or refund, it has not ended and is to be asked about again.
_UNHEARD_OF_PAYMENT: PaymentState = "processing"
_UNHEARD_OF_REFUND: RefundState = "pending"
# Whatever else Stripe calls it, money is at stake and somebody may have to answer: it is open.
_ENDED_DISPUTES: Mapping[str, DisputeState] = {
    "won": "won",
    "lost": "lost",
    "warning_closed": "closed",
    "prevented": "closed",
}


def payment(intent: Words) -> PaymentSnapshot:
    """A payment intent."""
    state = _PAYMENT_STATES.get(intent["status"], _UNHEARD_OF_PAYMENT)
    currency = intent["currency"].upper()
    return PaymentSnapshot(
        provider_payment_id=intent["id"],
        state=state,
        amount_minor=from_stripe(intent["amount"], currency),
        received_minor=from_stripe(intent.get("amount_received") or 0, currency),
        currency=currency,
        is_live=intent["livemode"],
        client_secret=intent.get("client_secret"),
        redirect_url=_redirect(intent.get("next_action")),
        failure=_last_failure(intent.get("last_payment_error")),
        capture_before=(
            _capture_before(intent.get("latest_charge")) if state == "authorised" else None
        ),
        raw=kept(intent),
    )


def listed(intent: Words, mark: str) -> ListedPayment | None:
    """An intent of a list; None if it does not bear our mark."""
    payment_id = marked(intent, mark, "payment_id")
    if payment_id is None:
        return None
    seen = payment(intent)
    return ListedPayment(
        payment_id=payment_id,
        provider_payment_id=seen.provider_payment_id,
        created_at=moment(intent["created"]),
        state=seen.state,
        amount_minor=seen.amount_minor,
        received_minor=seen.received_minor,
        currency=seen.currency,
    )


def refund(refund: Words, mark: str) -> RefundSnapshot:
    """A refund."""
    currency = refund["currency"].upper()
    return RefundSnapshot(
        provider_refund_id=refund["id"],
        provider_payment_id=link(refund.get("payment_intent")),
        marked_refund_id=marked(refund, mark, "refund_id"),
        state=_REFUND_STATES.get(refund["status"], _UNHEARD_OF_REFUND),
        amount_minor=from_stripe(refund["amount"], currency),
        currency=currency,
        created_at=moment(refund["created"]),
        reason=refund.get("reason"),
        failure=refund.get("failure_reason"),
        raw=kept(refund),
    )


def dispute(dispute: Words) -> DisputeSnapshot:
    """A dispute or an inquiry before one."""
    currency = dispute["currency"].upper()
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return DisputeSnapshot(
        provider_dispute_id=dispute["id"],
        provider_payment_id=link(dispute.get("payment_intent")),
        state=_ENDED_DISPUTES.get(dispute["status"], "open"),
        status=dispute["status"],
        reason=dispute["reason"],
        amount_minor=from_stripe(dispute["amount"], currency),
        currency=currency,
        is_refundable=dispute["is_charge_refundable"],
        due_by=moment(due_by) if due_by else None,
        created_at=moment(dispute["created"]),
        raw=kept(dispute),
    )


def failed_attempt(charge: Words) -> Failure:
    """Why a charge failed, in the words that its intent would use."""
    reason = (charge.get("outcome") or {}).get("reason")
    return Failure(
        code=reason or charge.get("failure_code") or "declined",
        message=charge.get("failure_message") or _DECLINED,
        charge_id=charge["id"],
    )


def marked(subject: Words, mark: str, name: str) -> int | None:
    """Our row's id; the older app's objects bear an order id alone and are found by theirs."""
    metadata = subject.get("metadata") or {}
    row_id = metadata.get(name, "")
    return int(row_id) if metadata.get("app") == mark and row_id.isdecimal() else None


def link(value: str | Words | None) -> str | None:
    """The id of another object, which may be expanded in its place."""
    return value["id"] if isinstance(value, Mapping) else value


def moment(seconds: int) -> datetime:
    """A time of Stripe's API v1."""
    return _EPOCH + timedelta(seconds=seconds)  # of what no date can hold: always OverflowError


_DECLINED = "The payment was declined."


def _last_failure(error: Words | None) -> Failure | None:
    if error is None:
        return None
    return Failure(
        code=error.get("decline_code") or error.get("code") or error.get("type") or "declined",
        message=error.get("message") or _DECLINED,
        charge_id=error.get("charge"),
    )


def _redirect(action: Words | None) -> str | None:
    """The page where the buyer goes on, if that is what is to be done next."""
    url: str | None = ((action or {}).get("redirect_to_url") or {}).get("url")
    return url


def _capture_before(charge: str | Words | None) -> datetime | None:
    """Until when an expanded charge can be captured; only cards say it."""
    if not isinstance(charge, Mapping):
        return None
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return moment(card["capture_before"]) if card.get("capture_before") else None
