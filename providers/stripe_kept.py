"""What may be stored of Stripe's words: the fields that are named here, and no others.

Client secrets, addresses that lead a browser on, people's data and whatever Stripe adds tomorrow
are dropped by not being named.
"""

from collections.abc import Mapping
from typing import Any

Rule = Mapping[str, "Rule"]
"""The fields that are kept of an object, and what is kept inside of each."""


def _fields(names: str, **inside: Rule) -> Rule:
    return {**{name: {} for name in names.split()}, **inside}


_MARK = _fields("app order_id payment_id refund_id")
_LINK = _fields("id")  # an id, unless the object was expanded
_CAUSE = _fields("id idempotency_key")

_CHARGE = _fields(
    "id object amount amount_captured amount_refunded captured created currency disputed"
    " failure_code failure_message livemode paid refunded status",
    balance_transaction=_LINK,
    metadata=_MARK,
    outcome=_fields("network_status reason type"),
    payment_intent=_LINK,
    payment_method_details=_fields("type", card=_fields("capture_before")),
)
_OBJECTS: Mapping[str, Rule] = {
    "payment_intent": _fields(
        "id object amount amount_capturable amount_received canceled_at cancellation_reason"
        " capture_method created currency livemode payment_method_types status",
        last_payment_error=_fields("advice_code charge code decline_code message type"),
        latest_charge=_CHARGE,
        metadata=_MARK,
    ),
    "charge": _CHARGE,
    "refund": _fields(
        "id object amount created currency failure_reason pending_reason reason status",
        balance_transaction=_LINK,
        charge=_LINK,
        destination_details=_fields(
            "type", card=_fields("reference reference_status reference_type type")
        ),
        metadata=_MARK,
        payment_intent=_LINK,
    ),
    "dispute": _fields(
        "id object amount created currency is_charge_refundable livemode network_reason_code"
        " reason status",
        charge=_LINK,
        evidence_details=_fields("due_by has_evidence past_due submission_count"),
        metadata=_MARK,
        payment_intent=_LINK,
    ),
    "radar.early_fraud_warning": _fields(
        "id object actionable created fraud_type livemode", charge=_LINK, payment_intent=_LINK
    ),
    "review": _fields(
        "id object closed_reason created livemode open opened_reason reason",
        charge=_LINK,
        payment_intent=_LINK,
    ),
}
_ANY_OBJECT = _fields("id object", metadata=_MARK)
_EVENT = _fields(
    "id object account api_version context created livemode type",
    reason=_fields("type", request=_CAUSE),
    related_object=_fields("id type"),
    request=_CAUSE,
)


def kept(words: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an object of Stripe's."""
    return _of_fields(words, _OBJECTS.get(str(words.get("object")), _ANY_OBJECT))


def kept_of_event(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an event: enough to read it again."""
    event = _of_fields(body, _EVENT)
    if "data" in body:
        event["data"] = {"object": kept(body["data"]["object"])}
    return event


def _of_fields(words: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    return {name: _of_value(words[name], inside) for name, inside in rule.items() if name in words}


def _of_value(value: Any, inside: Rule) -> Any:
    if isinstance(value, Mapping):
        return _of_fields(value, inside)
    if isinstance(value, list):
        return [_of_value(each, inside) for each in value]
    if inside and "id" not in inside:  # a word in the place of an object that has no other name
        return None
    return value.replace("\0", "") if isinstance(value, str) else value  # which jsonb cannot hold
