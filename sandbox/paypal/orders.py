"""Orders: opened by the shop, approved by the buyer, captured by the shop, once."""

from sandbox.paypal import authorizations, captures, money
from sandbox.paypal.call import Call, random_id, written
from sandbox.paypal.errors import InstrumentDeclinedError, invalid, missing, unprocessable
from sandbox.paypal.events import emit
from sandbox.provider.refusal import Document

FUNDINGS = ("pays", "is_declined", "pays_slowly", "is_denied", "is_refunded_slowly")
INTENTS = {"CAPTURE": "capture", "AUTHORIZE": "authorize"}
"""With what the shop does once the buyer has approved."""
REQUEST = {"intent", "purchase_units", "payment_source"}
UNIT = {"reference_id", "amount", "description", "custom_id", "invoice_id", "soft_descriptor"}
EXPERIENCE = {
    "brand_name",
    "locale",
    "shipping_preference",
    "return_url",
    "cancel_url",
    "landing_page",
    "user_action",
    "payment_method_preference",
}
LONGEST = 127
WAITING = ("CREATED", "PAYER_ACTION_REQUIRED")
PAYER_ID = "SANDBXPAYER22"


def create(call: Call, _: str, body: Document) -> Document:
    """Open an order that a buyer can approve."""
    unit, wallet = _unit(body), _wallet(body)
    amount, currency = money.read(unit.get("amount"))
    experience = wallet.get("experience_context", {})
    return call.store.add(
        "order",
        {
            "id": random_id(),
            "created": call.now,
            "updated": call.now,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED" if wallet else "CREATED",
            "amount": amount,
            "currency": currency,
            "description": unit.get("description"),
            "custom_id": unit.get("custom_id"),
            "invoice_id": unit.get("invoice_id"),
            "return_url": experience.get("return_url"),
            "cancel_url": experience.get("cancel_url"),
            "funding": None,
            "authorization": None,
            "capture": None,
        },
    )


def _unit(body: Document) -> Document:
    _check_names(body, REQUEST, "")
    if body.get("intent") not in INTENTS:
        raise unprocessable("UNSUPPORTED_INTENT", f"intent is one of: {', '.join(INTENTS)}")
    units = body.get("purchase_units")
    if not isinstance(units, list) or len(units) != 1:
        raise invalid("INVALID_ARRAY_MAX_ITEMS", "The sandbox takes one purchase unit.")
    unit: Document = units[0]
    _check_names(unit, UNIT, "purchase_units/0/")
    for name in UNIT - {"amount"}:
        if name in unit and not 1 <= len(str(unit[name])) <= LONGEST:
            raise invalid("INVALID_STRING_LENGTH", f"The value of a field is too long: {name}")
    return unit


def _wallet(body: Document) -> Document:
    source = body.get("payment_source", {})
    _check_names(source, {"paypal"}, "payment_source/")
    wallet: Document = source.get("paypal", {})
    _check_names(wallet, {"experience_context"}, "payment_source/paypal/")
    _check_names(wallet.get("experience_context", {}), EXPERIENCE, "experience_context/")
    return wallet


def _check_names(sent: object, known: set[str], where: str) -> None:
    if not isinstance(sent, dict) or set(sent) - known:
        strangers = sorted(set(sent) - known) if isinstance(sent, dict) else []
        raise invalid("NOT_SUPPORTED", f"The sandbox does not know {where}{strangers}")


def find(call: Call, order_id: str) -> Document:
    """The order; raises the refusal of one that is gone, as is one that was not paid in time."""
    order = call.store.get("order", order_id)
    lasts = int(call.store.configuration()["order_seconds"])
    # The buyer has so long to come, and then again so long to approve.
    is_waiting = order["capture"] is None and order["authorization"] is None
    if is_waiting and call.now >= order["created"] + 2 * lasts:
        raise missing("order", order_id, "id")
    return order


def patch(call: Call, order_id: str, changes: object) -> Document:
    """Change the invoice id or the custom id of an order that is not captured."""
    order = find(call, order_id)
    for change in changes if isinstance(changes, list) else [{}]:
        name = str(change.get("path", "")).rpartition("/")[2]
        if change.get("op") not in ("add", "replace") or name not in ("invoice_id", "custom_id"):
            raise invalid("INVALID_PARAMETER_VALUE", "The sandbox patches invoice_id, custom_id.")
        if order["status"] == "COMPLETED":
            raise unprocessable("ORDER_ALREADY_COMPLETED", "The order cannot be patched any more.")
        call.touch(order, **{name: change.get("value")})
    return order


def approve(call: Call, order: Document, funding: str) -> Document:
    """Let the buyer agree to pay with this means."""
    if funding not in FUNDINGS:
        raise invalid("INVALID_PARAMETER_VALUE", f"funding is one of: {', '.join(FUNDINGS)}")
    if find(call, order["id"])["status"] not in WAITING:
        raise unprocessable("ORDER_ALREADY_APPROVED", f"The order is {order['status']}.")
    call.touch(order, status="APPROVED", funding=funding)
    emit(call, "CHECKOUT.ORDER.APPROVED", shown(call, order))
    return order


def cancel(call: Call, order: Document) -> Document:
    """Let the buyer go back to the shop without having approved; the order stays as it is."""
    return find(call, order["id"])


def authorize(call: Call, order_id: str, body: Document) -> Document:
    """Reserve the money of an approved order, to be captured later."""
    order = find(call, order_id)
    _check_step(order, body, "AUTHORIZE")
    if order["authorization"] is not None:
        raise unprocessable("ORDER_ALREADY_AUTHORIZED", "Order already authorized.")
    _check_approval(order)
    _check_funding(call, order, "PAYER_CANNOT_PAY")
    made = authorizations.take(call, order)
    return call.touch(order, status="COMPLETED", authorization=made["id"])


def _check_step(order: Document, body: Document, intent: str) -> None:
    _check_names(body, set(), "")
    if order["intent"] != intent:
        description = f"Order was created with an intent of {order['intent']}."
        raise unprocessable("ACTION_DOES_NOT_MATCH_INTENT", description)


def _check_approval(order: Document) -> None:
    if order["status"] != "APPROVED":
        raise unprocessable("ORDER_NOT_APPROVED", "Payer has not yet approved the Order.")


def _check_funding(call: Call, order: Document, issue: str) -> None:
    if order["funding"] == "is_declined":
        call.touch(order, status="PAYER_ACTION_REQUIRED", funding=None)
        raise InstrumentDeclinedError(issue)


def capture(call: Call, order_id: str, body: Document) -> Document:
    """Take the money of an approved order: at once, later, or never."""
    order = find(call, order_id)
    _check_step(order, body, "CAPTURE")
    if order["capture"] is not None:
        raise unprocessable(
            "ORDER_ALREADY_CAPTURED",
            "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed.",
        )
    _check_approval(order)
    captures.check_invoice(call, order)
    _check_funding(call, order, "INSTRUMENT_DECLINED")
    taken = captures.take(call, order)
    call.touch(order, status="COMPLETED", capture=taken["id"])
    captures.tell(call, taken)
    emit(call, "CHECKOUT.ORDER.COMPLETED", shown(call, order))
    return order


def minimal(call: Call, order: Document) -> Document:
    """An order as PayPal shows it unless it is asked for the whole."""
    return {name: shown(call, order)[name] for name in ("id", "status", "links")}


def shown(call: Call, order: Document) -> Document:
    """An order as PayPal shows it."""
    named = ("description", "custom_id", "invoice_id")
    unit: Document = {
        "reference_id": "default",
        "amount": money.written(order["amount"], order["currency"]),
        "payee": captures.PAYEE,
        **{name: order[name] for name in named if order[name]},
    }
    if order["status"] == "COMPLETED":
        unit["payments"] = _payments(call, order)
    found: Document = {
        "id": order["id"],
        "intent": order["intent"],
        "status": order["status"],
        "purchase_units": [unit],
        "create_time": written(order["created"]),
        "update_time": written(order["updated"]),
        "links": _links(call, order),
    }
    return found | (_payer() if order["status"] in ("APPROVED", "COMPLETED") else {})


def _payments(call: Call, order: Document) -> Document:
    """All that was reserved, taken and given back of an order."""
    mine = {"order": [order["id"]]}
    views = (
        ("authorization", authorizations.shown),
        ("capture", captures.shown),
        ("refund", captures.shown_refund),
    )
    found = {
        f"{kind}s": [
            _of_order(view(call, each))
            for each in call.store.newest(kind, where=mine, ascending=True)
        ]
        for kind, view in views
    }
    return {name: entries for name, entries in found.items() if entries}


def _of_order(shown: Document) -> Document:
    return {name: shown[name] for name in shown if name not in ("supplementary_data", "payee")}


def _payer() -> Document:
    name = {"given_name": "Ada", "surname": "Buyer"}
    email = "ada.buyer@example.com"
    wallet = {"email_address": email, "account_id": PAYER_ID, "account_status": "VERIFIED"}
    return {
        "payment_source": {"paypal": wallet | {"name": name}},
        "payer": {"email_address": email, "payer_id": PAYER_ID, "name": name},
    }


def _links(call: Call, order: Document) -> list[Document]:
    path = f"/v2/checkout/orders/{order['id']}"
    links = [call.link("self", path)]
    if order["status"] in WAITING:
        rel = "payer-action" if order["status"] == "PAYER_ACTION_REQUIRED" else "approve"
        links.append(call.link(rel, f"/checkoutnow?token={order['id']}"))
    if order["status"] == "APPROVED":
        verb = INTENTS[order["intent"]]
        links.append(call.link(verb, f"{path}/{verb}", "POST"))
    return links
