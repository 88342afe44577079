"""Radar: the buyer's bank warns of fraud, or a rule of the merchant's wants a person to look."""

from sandbox.stripe.call import Call, random_id
from sandbox.stripe.errors import Document
from sandbox.stripe.events import emit


def warn(call: Call, charge: Document) -> Document:
    """Let the bank say that a charge is likely to be disputed."""
    warning = {
        "id": random_id("issfr_1"),
        "object": "radar.early_fraud_warning",
        "actionable": not charge["disputed"] and not charge["refunded"],
        "charge": charge["id"],
        "created": call.now,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    emit(call, "radar.early_fraud_warning.created", warning)
    return warning


def review(call: Call, charge: Document) -> Document:
    """Put a charge on the list of those that a person is to look at."""
    opened = {
        "id": random_id("prv_1"),
        "object": "review",
        "billing_zip": None,
        "charge": charge["id"],
        "closed_reason": None,
        "created": call.now,
        "ip_address": None,
        "ip_address_location": None,
        "livemode": False,
        "open": True,
        "opened_reason": "rule",
        "payment_intent": charge["payment_intent"],
        "reason": "rule",
        "session": None,
    }
    call.store.save(charge | {"review": opened["id"]})
    emit(call, "review.opened", opened)
    return opened
