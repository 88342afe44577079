"""Captures and their refunds: money taken, money given back."""

from sandbox.paypal import money
from sandbox.paypal.call import Call, random_id, written
from sandbox.paypal.errors import invalid, unprocessable
from sandbox.paypal.events import emit
from sandbox.provider.refusal import Document

PROTECTION = {
    "status": "ELIGIBLE",
    "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
}
PAYEE = {"email_address": "merchant@example.com", "merchant_id": "SANDBXSH2PQR3"}
REFUND = {"amount", "custom_id", "invoice_id", "note_to_payer"}
REFUNDABLE_SECONDS = 180 * 86400
TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
GIVEN = ("PENDING", "COMPLETED")
STATUSES = {"pays_slowly": "PENDING", "is_denied": "PENDING"}
EVENTS = {
    "COMPLETED": "PAYMENT.CAPTURE.COMPLETED",
    "PENDING": "PAYMENT.CAPTURE.PENDING",
    "DECLINED": "PAYMENT.CAPTURE.DENIED",
}


def take(call: Call, order: Document, authorization: Document | None = None) -> Document:
    """Take the whole amount of an order, or begin to; it may have been reserved before."""
    return call.store.add(
        "capture",
        {
            "id": random_id(),
            "created": call.now,
            "updated": call.now,
            "order": order["id"],
            "authorization": authorization and authorization["id"],
            "funding": order["funding"],
            "status": STATUSES.get(order["funding"], "COMPLETED"),
            "reason": "ECHECK" if order["funding"] in STATUSES else None,
            "amount": order["amount"],
            "currency": order["currency"],
            "custom_id": order["custom_id"],
            "invoice_id": order["invoice_id"],
        },
    )


def tell(call: Call, capture: Document) -> None:
    """Tell the shop how a capture stands."""
    emit(call, EVENTS[capture["status"]], shown(call, capture))


def end(call: Call, capture: Document, status: str) -> Document:
    """Let pending money arrive, or not."""
    if capture["status"] != "PENDING":
        raise unprocessable("CAPTURE_NOT_PENDING", f"The capture is {capture['status']}.")
    call.touch(capture, status=status, reason=None if status == "COMPLETED" else "OTHER")
    tell(call, capture)
    return capture


def reverse(call: Call, capture: Document) -> Document:
    """Let PayPal or a bank take the money back."""
    emit(call, "PAYMENT.CAPTURE.REVERSED", shown(call, capture))
    return capture


def refund(call: Call, capture_id: str, body: Document) -> Document:
    """Give back a part of a capture or, without an amount, all that is left of it."""
    capture = call.store.get("capture", capture_id)
    if set(body) - REFUND:
        raise invalid("NOT_SUPPORTED", f"The sandbox does not know {sorted(set(body) - REFUND)}")
    left = capture["amount"] - _given_back(call, capture)
    amount, currency = left, capture["currency"]
    if "amount" in body:
        amount, currency = money.read(body["amount"])
    _check(call, capture, body)
    _check_amount(amount, left, currency, capture["currency"])
    _check_disputes(call, capture, is_partial=amount < left)
    is_slow = capture["funding"] == "is_refunded_slowly"
    made = call.store.add(
        "refund",
        {
            "id": random_id(),
            "created": call.now,
            "updated": call.now,
            "capture": capture_id,
            "order": capture["order"],
            "status": "PENDING" if is_slow else "COMPLETED",
            "amount": amount,
            "currency": currency,
            "custom_id": body.get("custom_id", capture["custom_id"]),
            "invoice_id": body.get("invoice_id", capture["invoice_id"]),
            "note_to_payer": body.get("note_to_payer"),
        },
    )
    _count(call, capture)
    _tell_refund(call, made)
    return made


def _check(call: Call, capture: Document, body: Document) -> None:
    if capture["status"] == "PENDING":
        raise unprocessable("PENDING_CAPTURE", "Cannot initiate a refund as the capture pends.")
    if capture["status"] not in TAKEN:
        raise unprocessable("REFUND_NOT_ALLOWED", "Full refund refused - money was never taken.")
    if call.now > capture["created"] + REFUNDABLE_SECONDS:
        raise unprocessable("REFUND_TIME_LIMIT_EXCEEDED", "You are over the time limit.")
    if "invoice_id" in body:
        same = {"invoice_id": [body["invoice_id"]]}
        if call.store.newest("refund", where=same) or call.store.newest("capture", where=same):
            raise unprocessable("DUPLICATE_INVOICE_ID", "The invoice id has been used before.")


def _check_amount(amount: int, left: int, currency: str, captured_in: str) -> None:
    if currency != captured_in:
        issue = "REFUND_CAPTURE_CURRENCY_MISMATCH"
        raise unprocessable(issue, "Refund must be in the same currency as the capture.")
    if left == 0:
        raise unprocessable("CAPTURE_FULLY_REFUNDED", "The capture has already been refunded.")
    if amount > left:
        issue = "REFUND_AMOUNT_EXCEEDED"
        raise unprocessable(issue, "The refund amount must be less than what is left.")


def _check_disputes(call: Call, capture: Document, *, is_partial: bool) -> None:
    for dispute in call.store.newest("dispute", where={"capture": [capture["id"]]}):
        if dispute["stage"] == "CHARGEBACK" and dispute["outcome"] != "RESOLVED_SELLER_FAVOUR":
            issue = "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK"
            raise unprocessable(issue, "Refunds not allowed on this capture due to a chargeback.")
        if is_partial and not dispute["outcome"]:
            raise unprocessable("TRANSACTION_DISPUTED", "Partial refunds cannot be offered now.")


def _given_back(call: Call, capture: Document) -> int:
    made = call.store.newest("refund", where={"capture": [capture["id"]], "status": GIVEN})
    return sum(each["amount"] for each in made)


def _count(call: Call, capture: Document) -> None:
    given = _given_back(call, capture)
    whole = "REFUNDED" if given == capture["amount"] else "PARTIALLY_REFUNDED"
    call.touch(capture, status=whole if given else "COMPLETED")


def end_refund(call: Call, refund_: Document, status: str) -> Document:
    """Let a pending refund arrive, or fail and give its share free."""
    if refund_["status"] != "PENDING":
        raise unprocessable("REFUND_NOT_PENDING", f"The refund is {refund_['status']}.")
    call.touch(refund_, status=status)
    _count(call, call.store.get("capture", refund_["capture"]))
    _tell_refund(call, refund_)
    return refund_


def _tell_refund(call: Call, refund_: Document) -> None:
    kinds = {"COMPLETED": "PAYMENT.CAPTURE.REFUNDED"}
    kind = kinds.get(refund_["status"], f"PAYMENT.REFUND.{refund_['status']}")
    emit(call, kind, shown_refund(call, refund_))


def check_invoice(call: Call, order: Document) -> None:
    """Raise if money was taken by its invoice id before."""
    same = {"invoice_id": [order["invoice_id"]]}
    paid = call.store.newest("capture", where=same) if order["invoice_id"] else []
    if any(each["status"] != "DECLINED" for each in paid):
        raise unprocessable(
            "DUPLICATE_INVOICE_ID",
            "Duplicate Invoice ID detected. To avoid a potential duplicate transaction your account"
            " setting requires that Invoice Id be unique for each transaction.",
        )


def _related(capture: Document) -> Document:
    reserved = capture["authorization"]
    return {"order_id": capture["order"]} | ({"authorization_id": reserved} if reserved else {})


def shown(call: Call, capture: Document) -> Document:
    """A capture as PayPal shows it."""
    path = f"/v2/payments/captures/{capture['id']}"
    amount = money.written(capture["amount"], capture["currency"])
    found: Document = {
        "id": capture["id"],
        "status": capture["status"],
        "amount": amount,
        "final_capture": True,
        "seller_protection": PROTECTION,
        "supplementary_data": {"related_ids": _related(capture)},
        "payee": PAYEE,
        "create_time": written(capture["created"]),
        "update_time": written(capture["updated"]),
        "links": [
            call.link("self", path),
            call.link("refund", f"{path}/refund", "POST"),
            call.link("up", f"/v2/checkout/orders/{capture['order']}"),
        ],
    }
    if capture["status"] in TAKEN:
        fee = money.written(0, capture["currency"])
        found["seller_receivable_breakdown"] = {
            "gross_amount": amount,
            "paypal_fee": fee,
            "net_amount": amount,
        }
    if capture["reason"]:
        found["status_details"] = {"reason": capture["reason"]}
    return found | {name: capture[name] for name in ("custom_id", "invoice_id") if capture[name]}


def shown_refund(call: Call, refund_: Document) -> Document:
    """A refund as PayPal shows it."""
    amount = money.written(refund_["amount"], refund_["currency"])
    total = call.store.newest("refund", where={"capture": [refund_["capture"]], "status": GIVEN})
    given = money.written(sum(each["amount"] for each in total), refund_["currency"])
    found: Document = {
        "id": refund_["id"],
        "status": refund_["status"],
        "amount": amount,
        "seller_payable_breakdown": {
            "gross_amount": amount,
            "net_amount": amount,
            "total_refunded_amount": given,
        },
        "create_time": written(refund_["created"]),
        "update_time": written(refund_["updated"]),
        "links": [
            call.link("self", f"/v2/payments/refunds/{refund_['id']}"),
            call.link("up", f"/v2/payments/captures/{refund_['capture']}"),
        ],
    }
    if refund_["status"] != "COMPLETED":
        found["status_details"] = {"reason": "ECHECK"}
    names = ("custom_id", "invoice_id", "note_to_payer")
    return found | {name: refund_[name] for name in names if refund_[name]}
