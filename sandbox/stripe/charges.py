"""Charges: each attempt to take money, successful or not."""

from sandbox.stripe.call import Call, random_id
from sandbox.stripe.cards import ADVICE, Decline, card_of
from sandbox.stripe.errors import Document
from sandbox.stripe.events import emit

AUTHORISATION_SECONDS = 7 * 86400


def open_charge(call: Call, intent: Document, method: Document) -> Document:
    """Add a pending charge for the whole amount of an intent."""
    prefix = "ch_3" if method["type"] == "card" else "py_3"
    return call.store.add(
        "charge",
        {
            "id": random_id(prefix),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "SANDBOX",
            "captured": False,
            "created": call.now,
            "currency": intent["currency"],
            "customer": None,
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": None,
            "paid": False,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _method_details(method),
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": intent["shipping"],
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": "pending",
            "transfer_data": None,
            "transfer_group": intent["transfer_group"],
        },
    )


def _method_details(method: Document) -> Document:
    if method["type"] == "klarna":
        klarna = {"payment_method_category": "pay_later", "preferred_locale": "en-IE"}
        return {"type": "klarna", "klarna": klarna | {"payer_details": None}}
    card = method["card"]
    shared = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {
        "type": "card",
        "card": {name: card[name] for name in shared}
        | {
            "checks": card["checks"],
            "installments": None,
            "mandate": None,
            "network": card["brand"],
            "three_d_secure": None,
            "wallet": None,
        },
    }


def succeed(call: Call, charge: Document, *, captured: bool) -> Document:
    """Take the money of a pending charge, or only reserve it."""
    if not captured and charge["payment_method_details"]["type"] == "card":
        charge["payment_method_details"]["card"]["capture_before"] = capture_before(charge)
    charge |= {
        "amount_captured": charge["amount"] if captured else 0,
        "balance_transaction": random_id("txn_3") if captured else None,
        "captured": captured,
        "outcome": _outcome("authorized", "Payment complete.", "approved_by_network", None),
        "paid": True,
        "status": "succeeded",
    }
    emit(call, "charge.succeeded", call.store.save(charge))
    return charge


def capture_before(charge: Document) -> int:
    """Until when a reservation holds."""
    return int(charge["created"]) + AUTHORISATION_SECONDS


def fail(call: Call, charge: Document, decline: Decline) -> Document:
    """End a pending charge without money."""
    reason = decline.decline_code or decline.code
    message = f"The bank returned the decline code `{reason}`."
    charge |= {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": _outcome("issuer_declined", message, "declined_by_network", reason),
        "status": "failed",
    }
    emit(call, "charge.failed", call.store.save(charge))
    return charge


def _outcome(kind: str, message: str, network: str, reason: str | None) -> Document:
    return {
        "advice_code": ADVICE.get(reason) if reason else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": message,
        "type": kind,
    }


def capture(call: Call, charge: Document, amount: int) -> Document:
    """Take up to the reserved amount; the rest is released without a refund."""
    charge["payment_method_details"].get("card", {}).pop("capture_before", None)
    charge |= {
        "amount_captured": amount,
        "balance_transaction": random_id("txn_3"),
        "captured": True,
    }
    emit(call, "charge.captured", call.store.save(charge))
    return charge


def expire(call: Call, charge: Document) -> None:
    """Release a reservation that nobody captured in time."""
    emit(call, "charge.expired", charge)


def is_disputed_card(call: Call, charge: Document) -> bool:
    """Whether the test card asks for a dispute."""
    return card_of(call.store.get("payment_method", charge["payment_method"])).disputed
