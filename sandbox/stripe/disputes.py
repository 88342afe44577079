"""Disputes: the buyer's bank takes the money back until someone wins."""

from sandbox.stripe.call import Call, random_id
from sandbox.stripe.errors import Document, StripeError
from sandbox.stripe.events import emit

DAYS_TO_ANSWER = 20
FEE = 1500
EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


def open_dispute(call: Call, charge: Document) -> Document:
    """Dispute the whole captured amount of a charge and withdraw the money."""
    if charge["disputed"] or not charge["captured"]:
        message = f"Charge {charge['id']} cannot be disputed."
        raise StripeError(message, code="charge_not_disputable", param="charge")
    dispute = call.store.add("dispute", _new(call, charge))
    call.store.save(charge | {"disputed": True})
    emit(call, "charge.dispute.created", dispute)
    emit(call, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(call: Call, dispute: Document, status: str) -> Document:
    """End a dispute as `won` or `lost`; a won one returns the money, which can be refunded then."""
    if dispute["status"] in ("won", "lost"):
        raise StripeError(f"The dispute is already {dispute['status']}.")
    dispute["status"] = status
    if status == "won":
        dispute["is_charge_refundable"] = True
        dispute["balance_transactions"].append(_balance(call, dispute, dispute["amount"], 0))
    emit(call, "charge.dispute.closed", call.store.save(dispute))
    if status == "won":
        emit(call, "charge.dispute.funds_reinstated", dispute)
    return dispute


def _new(call: Call, charge: Document) -> Document:
    dispute: Document = {
        "id": random_id("du_1"),
        "object": "dispute",
        "amount": charge["amount_captured"] - charge["amount_refunded"],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + DAYS_TO_ANSWER * 86400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": _method_details(charge),
        "reason": "fraudulent",
        "status": "needs_response",
    }
    dispute["balance_transactions"] = [_balance(call, dispute, -dispute["amount"], FEE)]
    return dispute


def _method_details(charge: Document) -> Document:
    if charge["payment_method_details"]["type"] == "klarna":
        return {"type": "klarna", "klarna": {"reason_code": "fraudulent"}}
    brand = charge["payment_method_details"]["card"]["brand"]
    card = {"brand": brand, "case_type": "chargeback", "network_reason_code": "10.4"}
    return {"type": "card", "card": card}


def _balance(call: Call, dispute: Document, amount: int, fee: int) -> Document:
    fees = {"amount": fee, "application": None, "currency": dispute["currency"]}
    return {
        "id": random_id("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now,
        "balance_type": "payments",
        "created": call.now,
        "currency": dispute["currency"],
        "description": f"Chargeback of {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [fees | {"description": "Dispute fee", "type": "stripe_fee"}],
        "net": amount - fee,
        "reporting_category": "dispute",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }
