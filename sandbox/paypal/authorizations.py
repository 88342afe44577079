"""Authorisations: money that is reserved for some weeks, then captured, voided or let go."""

from sandbox.paypal import captures, money
from sandbox.paypal.call import Call, random_id, written
from sandbox.paypal.errors import invalid, unprocessable
from sandbox.paypal.events import emit
from sandbox.provider.refusal import Document

# developer.paypal.com: valid for 29 days, of which PayPal honours the first three.
LASTS_SECONDS = 29 * 86400
CAPTURE = {"amount", "final_capture", "invoice_id", "note_to_payer", "soft_descriptor"}
ENDED = {"VOIDED": "AUTHORIZATION_VOIDED", "CAPTURED": "AUTHORIZATION_ALREADY_CAPTURED"}


def take(call: Call, order: Document) -> Document:
    """Reserve the whole amount of an order."""
    made = call.store.add(
        "authorization",
        {
            "id": random_id(),
            "created": call.now,
            "updated": call.now,
            "expires": call.now + LASTS_SECONDS,
            "order": order["id"],
            "status": "CREATED",
            "amount": order["amount"],
            "currency": order["currency"],
            "custom_id": order["custom_id"],
            "invoice_id": order["invoice_id"],
        },
    )
    emit(call, "PAYMENT.AUTHORIZATION.CREATED", shown(call, made))
    return made


def capture(call: Call, authorization_id: str, body: Document) -> Document:
    """Take what was reserved, whole and once; the capture."""
    made = call.store.get("authorization", authorization_id)
    if set(body) - CAPTURE:
        raise invalid("NOT_SUPPORTED", f"The sandbox does not know {sorted(set(body) - CAPTURE)}")
    if made["status"] in ENDED:
        raise unprocessable(ENDED[made["status"]], f"The authorization is {made['status']}.")
    if money.read(body.get("amount", shown(call, made)["amount"]))[0] != made["amount"]:
        raise unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED", "The sandbox captures all or nothing.")
    order = call.store.get("order", made["order"])
    captures.check_invoice(call, order)
    taken = captures.take(call, order, made)
    call.touch(made, status="CAPTURED")
    call.touch(order, capture=taken["id"])
    captures.tell(call, taken)
    return taken


def void(call: Call, authorization_id: str, _: Document) -> Document:
    """Let go what was reserved."""
    made = call.store.get("authorization", authorization_id)
    if made["status"] in ENDED:
        issue = f"PREVIOUSLY_{made['status']}"
        raise unprocessable(issue, f"Authorization has been previously {made['status'].lower()}.")
    return _end(call, made)


def expire(call: Call) -> None:
    """Let go what nobody has captured in time."""
    for made in call.store.newest("authorization", where={"status": ["CREATED"]}):
        if made["expires"] <= call.now:
            _end(call, made)


def _end(call: Call, made: Document) -> Document:
    call.touch(made, status="VOIDED")
    emit(call, "PAYMENT.AUTHORIZATION.VOIDED", shown(call, made))
    return made


def shown(call: Call, made: Document) -> Document:
    """An authorisation as PayPal shows it."""
    path = f"/v2/payments/authorizations/{made['id']}"
    links = [call.link("self", path), call.link("up", f"/v2/checkout/orders/{made['order']}")]
    if made["status"] == "CREATED":
        links += [call.link(verb, f"{path}/{verb}", "POST") for verb in ("capture", "void")]
    return {
        "id": made["id"],
        "status": made["status"],
        "amount": money.written(made["amount"], made["currency"]),
        "seller_protection": captures.PROTECTION,
        "expiration_time": written(made["expires"]),
        "supplementary_data": {"related_ids": {"order_id": made["order"]}},
        "payee": captures.PAYEE,
        "create_time": written(made["created"]),
        "update_time": written(made["updated"]),
        "links": links,
        **{name: made[name] for name in ("custom_id", "invoice_id") if made[name]},
    }
