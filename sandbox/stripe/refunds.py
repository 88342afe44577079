"""Refunds: money goes back to the buyer, at once, later, or after all not."""

import time

from sandbox.stripe.call import Call, random_id
from sandbox.stripe.cards import card_of
from sandbox.stripe.errors import Document, ParameterError, StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.forms import merge_metadata


def create(call: Call, params: Document) -> Document:
    """Refund a charge in part or, without an amount, all that is left of it."""
    charge = _charge(call, params)
    amount = params.get("amount") or charge["amount_captured"] - charge["amount_refunded"]
    _check(call, charge, amount)
    refund = call.store.add("refund", _new(call, charge, amount, params))
    before = _share(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    call.store.save(charge)
    emit(call, "refund.created", refund)
    emit(call, "charge.refunded", charge, previous=before)
    _settle_later(call, refund)
    return refund


def _charge(call: Call, params: Document) -> Document:
    if ("charge" in params) == ("payment_intent" in params):
        message = "One of the following params should be provided: payment_intent or charge."
        raise ParameterError("payment_intent", message, "parameter_missing")
    if "charge" in params:
        return call.store.get("charge", params["charge"], "charge")
    intent = call.store.get("payment_intent", params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        message = f"This PaymentIntent ({intent['id']}) does not have a successful charge."
        raise StripeError(message, code="payment_intent_unexpected_state", param="payment_intent")
    return call.store.get("charge", intent["latest_charge"])


def _check(call: Call, charge: Document, amount: int) -> None:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not charge["captured"]:
        raise StripeError(f"Charge {charge['id']} was never captured.", param="charge")
    if charge["disputed"] and not _refundable_in_dispute(call, charge):
        raise StripeError(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise StripeError(message, param="amount")


def _refundable_in_dispute(call: Call, charge: Document) -> bool:
    disputes = call.store.newest("dispute", where={"charge": [charge["id"]]})
    return all(dispute["is_charge_refundable"] for dispute in disputes)


def _new(call: Call, charge: Document, amount: int, params: Document) -> Document:
    method = call.store.get("payment_method", charge["payment_method"])
    pending = card_of(method).refund == "succeeds_later"
    refund: Document = {
        "id": random_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": random_id("txn_3"),
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": _destination(method["type"]),
        "metadata": merge_metadata({}, params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    return refund | {"pending_reason": "processing"} if pending else refund


def _destination(kind: str) -> Document:
    if kind != "card":
        return {"type": kind, kind: {}}
    reference = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
    return {"type": "card", "card": reference | {"type": "refund"}}


def _settle_later(call: Call, refund: Document) -> None:
    method = call.store.get("payment_method", refund["payment_method"])
    status = {"succeeds_later": "succeeded", "fails_later": "failed"}.get(card_of(method).refund)
    seconds = call.store.configuration()["refund_seconds"]
    if status and seconds is not None:
        due = time.time() + float(seconds)
        timer = {"id": random_id("timer_"), "refund": refund["id"], "status": status, "due": due}
        call.store.add("timer", timer)


def settle_due(call: Call) -> None:
    """Move the refunds whose time has come to the state that their card asks for."""
    for timer in call.store.newest("timer"):
        if timer["due"] <= time.time():
            call.store.remove(timer["id"])
            settle(call, call.store.get("refund", timer["refund"]), timer["status"])


def settle(call: Call, refund: Document, status: str) -> Document:
    """End a refund as `succeeded` or `failed`; a failed one frees its share of the charge."""
    if refund["status"] in (status, "failed"):
        return refund
    before = {"status": refund["status"]}
    refund["status"] = status
    refund.pop("pending_reason", None)
    if status == "failed":
        _return(call, refund)
    call.store.save(refund)
    emit(call, "refund.updated", refund, previous=before)
    emit(call, "charge.refund.updated", refund, previous=before)
    if status == "failed":
        emit(call, "refund.failed", refund)
    return refund


def _return(call: Call, refund: Document) -> None:
    refund["failure_reason"] = "expired_or_canceled_card"
    refund["failure_balance_transaction"] = random_id("txn_3")
    charge = call.store.get("charge", refund["charge"])
    before = _share(charge)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    emit(call, "charge.updated", call.store.save(charge), previous=before)


def _share(charge: Document) -> Document:
    return {name: charge[name] for name in ("amount_refunded", "refunded")}


def update(call: Call, refund_id: str, params: Document) -> Document:
    """Change the metadata of a refund."""
    refund = call.store.get("refund", refund_id)
    before = {"metadata": refund["metadata"]}
    refund["metadata"] = merge_metadata(refund["metadata"], params.get("metadata"))
    emit(call, "refund.updated", call.store.save(refund), previous=before)
    return refund
