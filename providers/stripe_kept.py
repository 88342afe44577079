"""What may be stored of Stripe's words: the fields that are named here, and no others.

Client secrets, addresses that lead a browser on, people's data and whatever Stripe adds tomorrow
are dropped by not being named.
"""

from collections.abc import Mapping
from typing import Any

from providers.kept import Rule, fields, of_fields

_MARK = fields("app order_id payment_id refund_id")
_LINK = fields("id")  # an id, unless the object was expanded
_CAUSE = fields("id idempotency_key")

_CHARGE = fields(
    "id object amount amount_captured amount_refunded captured created currency disputed"
    " failure_code failure_message livemode paid refunded status",
    balance_transaction=_LINK,
    metadata=_MARK,
    outcome=fields("network_status reason type"),
    payment_intent=_LINK,
    payment_method_details=fields("type", card=fields("capture_before")),
)
_OBJECTS: Mapping[str, Rule] = {
    "payment_intent": fields(
        "id object amount amount_capturable amount_received canceled_at cancellation_reason"
        " capture_method created currency livemode payment_method_types status",
        last_payment_error=fields("advice_code charge code decline_code message type"),
        latest_charge=_CHARGE,
        metadata=_MARK,
    ),
    "charge": _CHARGE,
    "refund": fields(
        "id object amount created currency failure_reason pending_reason reason status",
        balance_transaction=_LINK,
        charge=_LINK,
        destination_details=fields(
            "type", card=fields("reference reference_status reference_type type")
        ),
        metadata=_MARK,
        payment_intent=_LINK,
    ),
    "dispute": fields(
        "id object amount created currency is_charge_refundable livemode network_reason_code"
        " reason status",
        charge=_LINK,
        evidence_details=fields("due_by has_evidence past_due submission_count"),
        metadata=_MARK,
        payment_intent=_LINK,
    ),
    "radar.early_fraud_warning": fields(
        "id object actionable created fraud_type livemode", charge=_LINK, payment_intent=_LINK
    ),
    "review": fields(
        "id object closed_reason created livemode open opened_reason reason",
        charge=_LINK,
        payment_intent=_LINK,
    ),
}
_ANY_OBJECT = fields("id object", metadata=_MARK)
_EVENT = fields(
    "id object account api_version context created livemode type",
    reason=fields("type", request=_CAUSE),
    related_object=fields("id type"),
    request=_CAUSE,
)


def kept(words: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an object of Stripe's."""
    return of_fields(words, _OBJECTS.get(str(words.get("object")), _ANY_OBJECT))


def kept_of_event(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an event: enough to read it again."""
    event = of_fields(body, _EVENT)
    if "data" in body:
        event["data"] = {"object": kept(body["data"]["object"])}
    return event
