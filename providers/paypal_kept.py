"""What may be stored of PayPal's words: nobody's name or address, and no link."""

from collections.abc import Mapping
from typing import Any

from providers.kept import Rule, fields, of_fields

_MONEY = fields("currency_code value")
_RELATED = fields("", related_ids=fields("order_id authorization_id capture_id"))
_CAPTURE = fields(
    "id status custom_id invoice_id final_capture create_time update_time",
    amount=_MONEY,
    status_details=fields("reason"),
    supplementary_data=_RELATED,
)
_AUTHORISATION = fields(
    "id status custom_id invoice_id expiration_time create_time update_time",
    amount=_MONEY,
    status_details=fields("reason"),
    supplementary_data=_RELATED,
)
_REFUND = fields(
    "id status custom_id invoice_id create_time update_time",
    amount=_MONEY,
    status_details=fields("reason"),
    links=fields("href rel"),  # the only word about which capture it is of
)
_ORDER = fields(
    "id status intent create_time update_time",
    purchase_units=fields(
        "reference_id custom_id invoice_id",
        amount=_MONEY,
        payments=fields("", authorizations=_AUTHORISATION, captures=_CAPTURE, refunds=_REFUND),
    ),
)
_DISPUTE = fields(
    "dispute_id status reason create_time update_time dispute_life_cycle_stage dispute_channel"
    " seller_response_due_date",
    dispute_amount=_MONEY,
    dispute_outcome=fields("outcome_code"),
    disputed_transactions=fields("seller_transaction_id custom invoice_number"),
)
_RESOURCES: Mapping[str, Rule] = {
    "checkout-order": _ORDER,
    "authorization": _AUTHORISATION,
    "capture": _CAPTURE,
    "refund": _REFUND,
    "dispute": _DISPUTE,
}
_ANY_RESOURCE = fields("id status custom_id", purchase_units=fields("custom_id invoice_id"))
_EVENT = fields("id create_time event_type resource_type event_version resource_version")


def kept(words: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What is stored of an object of this type, as events name it."""
    return of_fields(words, _RESOURCES.get(kind, _ANY_RESOURCE))


def kept_of_event(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an event: enough to read it again."""
    resource = kept(body["resource"], str(body.get("resource_type")))
    return of_fields(body, _EVENT) | {"resource": resource}
