"""Disputes: a buyer wants the money back, and PayPal or a bank decides."""

from sandbox.paypal import captures, money
from sandbox.paypal.call import Call, random_id, written
from sandbox.paypal.errors import invalid, unprocessable
from sandbox.paypal.events import emit
from sandbox.provider.refusal import Document

STAGES = ("INQUIRY", "CHARGEBACK")
SECONDS_TO_ANSWER = 10 * 86400
MOST_ON_A_PAGE = 50


def open_dispute(call: Call, capture: Document, stage: str) -> Document:
    """Dispute the whole amount of a capture."""
    if stage not in STAGES:
        raise invalid("INVALID_PARAMETER_VALUE", f"stage is one of: {', '.join(STAGES)}")
    if capture["status"] not in captures.TAKEN:
        raise unprocessable("CAPTURE_NOT_DISPUTABLE", f"The capture is {capture['status']}.")
    dispute = call.store.add(
        "dispute",
        {
            "id": random_id("PP-D-", 8),
            "created": call.now,
            "updated": call.now,
            "capture": capture["id"],
            "stage": stage,
            "status": "WAITING_FOR_SELLER_RESPONSE",
            "outcome": None,
            "amount": capture["amount"],
            "currency": capture["currency"],
        },
    )
    emit(call, "CUSTOMER.DISPUTE.CREATED", shown(call, dispute))
    return dispute


def resolve(call: Call, dispute: Document, outcome: str) -> Document:
    """End a dispute; one that the buyer wins takes the money away."""
    if dispute["outcome"]:
        raise unprocessable("DISPUTE_RESOLVED", f"The dispute ended as {dispute['outcome']}.")
    call.touch(dispute, status="RESOLVED", outcome=outcome)
    emit(call, "CUSTOMER.DISPUTE.RESOLVED", shown(call, dispute))
    if outcome == "RESOLVED_BUYER_FAVOUR":
        captures.reverse(call, call.store.get("capture", dispute["capture"]))
    return dispute


def listed(call: Call, _: str, query: Document) -> Document:
    """Disputes newest first, by the transaction or by when they were opened, as summaries."""
    where = {"capture": [query["disputed_transaction_id"]]} if _by_transaction(query) else None
    size = min(int(query.get("page_size", 10)), MOST_ON_A_PAGE)
    skipped = (int(query.get("page", 1)) - 1) * size
    found = call.store.newest("dispute", where=where)
    summary = ("dispute_id", "create_time", "update_time", "reason", "status", "dispute_amount")
    return {
        "items": [
            {name: shown(call, each)[name] for name in summary}
            for each in found[skipped : skipped + size]
        ],
        "links": [call.link("self", "/v1/customer/disputes")],
    }


def _by_transaction(query: Document) -> bool:
    return "disputed_transaction_id" in query


def shown(call: Call, dispute: Document) -> Document:
    """A dispute as PayPal shows it."""
    capture = call.store.get("capture", dispute["capture"])
    transaction: Document = {
        "seller_transaction_id": dispute["capture"],
        "seller": {"merchant_id": captures.PAYEE["merchant_id"], "name": "Sandbox shop"},
        "gross_amount": money.written(capture["amount"], capture["currency"]),
        "transaction_status": "COMPLETED",
    }
    if capture["custom_id"]:
        transaction["custom"] = capture["custom_id"]
    if capture["invoice_id"]:
        transaction["invoice_number"] = capture["invoice_id"]
    found: Document = {
        "dispute_id": dispute["id"],
        "create_time": written(dispute["created"]),
        "update_time": written(dispute["updated"]),
        "disputed_transactions": [transaction],
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": dispute["status"],
        "dispute_amount": money.written(dispute["amount"], dispute["currency"]),
        "dispute_life_cycle_stage": dispute["stage"],
        "dispute_channel": "INTERNAL",
        "seller_response_due_date": written(dispute["created"] + SECONDS_TO_ANSWER),
        "links": [call.link("self", f"/v1/customer/disputes/{dispute['id']}")],
    }
    if dispute["outcome"]:
        found["dispute_outcome"] = {"outcome_code": dispute["outcome"]}
    return found
