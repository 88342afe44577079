"""PayPal's objects in our words. Pure translation, no calls."""

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
from providers import paypal_marks
from providers.paypal_kept import kept
from providers.paypal_money import from_paypal

ORDERS = "/v2/checkout/orders"
Words = Mapping[str, Any]
"""An object as PayPal wrote it."""

APPROVAL_LASTS = timedelta(hours=3)
"""How long the shop has to capture what a buyer has approved (the documents, at `Order.links`)."""

_TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
_ORDER_STATES: Mapping[str, PaymentState] = {
    "CREATED": "open",
    "SAVED": "open",
    "PAYER_ACTION_REQUIRED": "open",
    "APPROVED": "authorised",
    "VOIDED": "cancelled",
}
_CAPTURE_STATES: Mapping[str, PaymentState] = {
    **dict.fromkeys(_TAKEN, "succeeded"),
    "PENDING": "processing",
    "DECLINED": "failed",
    "FAILED": "failed",
}
_REFUND_STATES: Mapping[str, RefundState] = {
    "COMPLETED": "succeeded",
    "PENDING": "pending",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
# Whatever else PayPal calls a payment or refund, it has not ended and is to be asked about again.
_UNHEARD_OF_PAYMENT: PaymentState = "processing"
_UNHEARD_OF_REFUND: RefundState = "pending"
_ENDED_DISPUTES: Mapping[str, DisputeState] = {
    "RESOLVED_SELLER_FAVOUR": "won",
    "RESOLVED_WITH_PAYOUT": "won",  # PayPal paid the buyer out of its own pocket
    "RESOLVED_BUYER_FAVOUR": "lost",
    "ACCEPTED": "lost",
    "CANCELED_BY_BUYER": "closed",
    "DENIED": "closed",
}
_REFUNDABLE_STAGE = "INQUIRY"  # later, PayPal refuses refunds: it may give the money back itself
_APPROVE = ("payer-action", "approve")


_AUTHORISATION_STATES: Mapping[str, PaymentState] = {
    "CREATED": "authorised",
    "VOIDED": "cancelled",
    "DENIED": "failed",
}


def order(order: Words, *, is_live: bool) -> PaymentSnapshot:
    """An order. It may be completed without money: what counts is its capture."""
    captures = captures_of(order)
    amount = _unit(order)["amount"]
    state = _state(order, captures)
    is_agreed_only = order["status"] == "APPROVED" and is_to_be_reserved(order)
    failed = captures[-1] if state == "failed" else None
    return PaymentSnapshot(
        provider_payment_id=order["id"],
        state=state,
        amount_minor=from_paypal(amount),
        received_minor=sum(_received(each) for each in captures),
        currency=amount["currency_code"],
        is_live=is_live,
        redirect_url=_approval(order) if state == "open" else None,
        failure=declined(failed) if failed else None,
        capture_before=_captured_before(order) if state == "authorised" else None,
        is_agreed_only=is_agreed_only,
        raw=kept(order, "checkout-order"),
    )


def _state(order: Words, captures: list[Words]) -> PaymentState:
    if not captures:
        for reserved in authorisations_of(order):
            return _AUTHORISATION_STATES.get(reserved["status"], _UNHEARD_OF_PAYMENT)
        return _ORDER_STATES.get(order["status"], _UNHEARD_OF_PAYMENT)
    states = [_CAPTURE_STATES.get(each["status"], _UNHEARD_OF_PAYMENT) for each in captures]
    return "succeeded" if "succeeded" in states else states[-1]


def capture(capture: Words, *, is_live: bool) -> PaymentSnapshot:
    """The payment that a capture tells of, as far as it does."""
    state = _CAPTURE_STATES.get(capture["status"], _UNHEARD_OF_PAYMENT)
    return PaymentSnapshot(
        provider_payment_id=order_of(capture),
        state=state,
        amount_minor=from_paypal(capture["amount"]),
        received_minor=_received(capture),
        currency=capture["amount"]["currency_code"],
        is_live=is_live,
        failure=declined(capture) if state == "failed" else None,
        raw=kept(capture, "capture"),
    )


def authorisation(reserved: Words, *, is_live: bool) -> PaymentSnapshot:
    """The payment that an authorisation tells of: money that is reserved, or no more."""
    state = _AUTHORISATION_STATES.get(reserved["status"], _UNHEARD_OF_PAYMENT)
    return PaymentSnapshot(
        provider_payment_id=order_of(reserved),
        state=state,
        amount_minor=from_paypal(reserved["amount"]),
        received_minor=0,
        currency=reserved["amount"]["currency_code"],
        is_live=is_live,
        capture_before=_lapses_at(reserved) if state == "authorised" else None,
        raw=kept(reserved, "authorization"),
    )


def listed(capture: Words, app: str) -> ListedPayment | None:
    """A capture in a list; None if it does not bear our mark."""
    mark = paypal_marks.read(capture.get("custom_id"))
    if mark is None or mark.app != app:
        return None
    return ListedPayment(
        payment_id=mark.payment_id,
        provider_payment_id=order_of(capture),
        created_at=moment(capture["create_time"]),
        state=_CAPTURE_STATES.get(capture["status"], _UNHEARD_OF_PAYMENT),
        amount_minor=from_paypal(capture["amount"]),
        received_minor=_received(capture),
        currency=capture["amount"]["currency_code"],
    )


def refund(refund: Words, app: str, order_id: str | None) -> RefundSnapshot:
    """A refund; PayPal says of which capture it is, and not of which order."""
    mark = paypal_marks.read(refund.get("custom_id"))
    return RefundSnapshot(
        provider_refund_id=refund["id"],
        provider_payment_id=order_id,
        marked_refund_id=mark.refund_id if mark and mark.app == app else None,
        state=_REFUND_STATES.get(refund["status"], _UNHEARD_OF_REFUND),
        amount_minor=from_paypal(refund["amount"]),
        currency=refund["amount"]["currency_code"],
        created_at=moment(refund["create_time"]),
        failure=_reason(refund) if refund["status"] == "FAILED" else None,
        raw=kept(refund, "refund"),
    )


def dispute(dispute: Words, order_id: str | None) -> DisputeSnapshot:
    """A dispute, from the inquiry on."""
    outcome = str((dispute.get("dispute_outcome") or {}).get("outcome_code", ""))
    stage = dispute.get("dispute_life_cycle_stage")
    # Whatever else PayPal calls it, money is at stake and somebody may have to answer: it is open.
    state = _ENDED_DISPUTES.get(outcome, "open")
    due_by = dispute.get("seller_response_due_date")
    return DisputeSnapshot(
        provider_dispute_id=dispute["dispute_id"],
        provider_payment_id=order_id,
        state=state,
        status=outcome or dispute["status"],
        reason=dispute["reason"],
        amount_minor=from_paypal(dispute["dispute_amount"]),
        currency=dispute["dispute_amount"]["currency_code"],
        is_refundable=stage == _REFUNDABLE_STAGE or state == "won",
        due_by=moment(due_by) if due_by else None,
        created_at=moment(dispute["create_time"]),
        raw=kept(dispute, "dispute"),
    )


def declined(capture: Words) -> Failure:
    """Why a capture brought no money."""
    return Failure(
        code=_reason(capture).lower(),
        message="PayPal could not take the money.",
        charge_id=capture["id"],
    )


def path_of(order: Words) -> str:
    """Where the order is called."""
    return f"{ORDERS}/{order['id']}"


def is_to_be_reserved(order: Words) -> bool:
    """Whether its money is reserved before it is taken."""
    return bool(order["intent"] == "AUTHORIZE")


def authorisations_of(order: Words) -> list[Words]:
    """What was reserved of an order: once, as we have it done."""
    return list((_unit(order).get("payments") or {}).get("authorizations") or ())


def captures_of(order: Words) -> list[Words]:
    """What was captured of an order, or tried to be."""
    return list((_unit(order).get("payments") or {}).get("captures") or ())


def refunds_of(order: Words) -> list[Words]:
    """What was given back of an order."""
    return list((_unit(order).get("payments") or {}).get("refunds") or ())


def order_of(money: Words) -> str:
    """The order that a capture or an authorisation is of."""
    return str(money["supplementary_data"]["related_ids"]["order_id"])


def capture_of(refund: Words) -> str:
    """The capture that a refund is of: the last step of its link `up`."""
    (up,) = (each["href"] for each in refund["links"] if each["rel"] == "up")
    return str(up).rpartition("/")[2]


def moment(text: str) -> datetime:
    """A time of PayPal's."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _unit(order: Words) -> Words:
    unit: Words = order["purchase_units"][0]
    return unit


def _received(capture: Words) -> int:
    return from_paypal(capture["amount"]) if capture["status"] in _TAKEN else 0


def _reason(words: Words) -> str:
    return str((words.get("status_details") or {}).get("reason") or words["status"])


def _approval(order: Words) -> str | None:
    """PayPal's page where the buyer approves, if that is what is to be done next."""
    links = (each["href"] for each in order.get("links") or () if each["rel"] in _APPROVE)
    return next(links, None)


def _captured_before(order: Words) -> datetime | None:
    for reserved in authorisations_of(order):
        return _lapses_at(reserved)
    since = order.get("update_time") or order.get("create_time")
    return moment(since) + APPROVAL_LASTS if since else None


def _lapses_at(reserved: Words) -> datetime | None:
    until = reserved.get("expiration_time")
    return moment(until) if until else None
