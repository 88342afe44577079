"""Payment intents: what the merchant does with them; `attempts` holds what the buyer does."""

from sandbox.stripe import attempts, cards, charges, money
from sandbox.stripe.call import Call, random_id
from sandbox.stripe.errors import Document, ParameterError, StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.forms import merge_metadata, require

KLARNA_CURRENCIES = frozenset(
    ["aud", "cad", "chf", "czk", "dkk", "eur", "gbp", "nok", "nzd", "pln", "ron", "sek", "usd"]
)
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
PAYER = ("receipt_email", "setup_future_usage", "shipping", "payment_method_options")
CHANGEABLE = (
    *PAYER,
    "allowed_payment_method_types",
    "amount",
    "capture_method",
    "currency",
    "description",
    "excluded_payment_method_types",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
PLAIN = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def create(call: Call, params: Document) -> Document:
    """Open a payment; with `confirm` the first attempt is made at once."""
    require(params, "amount", "currency")
    _check_combinations(params)
    money.check_currency(params["currency"])
    money.check_amount(params["amount"], params["currency"])
    intent = _new(call, params)
    _check_descriptor(intent)
    call.store.add("payment_intent", intent)
    emit(call, "payment_intent.created", intent)
    _attach(call, intent, params)
    if params.get("confirm"):
        return attempts.confirm(call, intent, params)
    return intent


def _check_combinations(params: Document) -> None:
    types = "allowed_payment_method_types"
    for other in ("automatic_payment_methods", "excluded_payment_method_types"):
        if types in params and other in params:
            message = f"You may only specify one of these parameters: {types}, {other}."
            raise ParameterError(other, message)
    if "return_url" in params and not params.get("confirm"):
        message = "return_url can only be given when confirm is true."
        raise ParameterError("return_url", message)


def _method_types(params: Document) -> list[str]:
    automatic = params.get("automatic_payment_methods") or {}
    offered = params.get("allowed_payment_method_types") or ["card", "klarna"]
    excluded = params.get("excluded_payment_method_types") or []
    usable = {"card", "klarna"} if params["currency"] in KLARNA_CURRENCIES else {"card"}
    if automatic.get("allow_redirects") == "never":
        usable = {"card"}
    types = [kind for kind in offered if kind in usable and kind not in excluded]
    if not types:
        raise StripeError(
            "No valid payment method types for this Payment Intent.",
            code="payment_intent_invalid_parameter",
        )
    return types


def _check_descriptor(intent: Document) -> None:
    if intent["statement_descriptor"] and "card" in intent["payment_method_types"]:
        message = (
            "The `statement_descriptor` parameter is not supported for the card payment method "
            "type. Use `statement_descriptor_suffix` instead."
        )
        raise StripeError(message, param="statement_descriptor")


def _new(call: Call, params: Document) -> Document:
    intent_id = random_id("pi_3")
    restricted = "allowed_payment_method_types" in params
    automatic = {"allow_redirects": "always"} | params.get("automatic_payment_methods", {})
    return {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None if restricted else automatic | {"enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": random_id(f"{intent_id}_secret_"),
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": params["currency"],
        "customer": None,
        "customer_account": None,
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": params.get("payment_method_options", {}),
        "payment_method_types": _method_types(params),
        "payment_record": None,
        "processing": None,
        "review": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        **{name: params.get(name) for name in PLAIN},
    }


def _attach(call: Call, intent: Document, params: Document) -> None:
    method = chosen_method(call, params)
    if method is not None:
        attempts.check_type(intent, method)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        call.store.save(intent)


def chosen_method(call: Call, params: Document) -> Document | None:
    """Return the payment method that the parameters name or describe, if they do."""
    if "payment_method_data" in params:
        return cards.from_data(call, params["payment_method_data"])
    if params.get("payment_method"):
        return cards.from_name(call, params["payment_method"])
    return None


def update(call: Call, intent_id: str, params: Document) -> Document:
    """Change an intent that is still open; metadata may change at any time."""
    intent = call.store.get("payment_intent", intent_id, "intent")
    if set(params) - {"metadata", "description", "shipping", "receipt_email"}:
        attempts.expect(intent, "update", *OPEN)
    metadata = merge_metadata(intent["metadata"], params.get("metadata"))
    intent |= {name: value for name, value in params.items() if name in CHANGEABLE}
    intent |= {"metadata": metadata, "payment_method_types": _method_types(intent)}
    money.check_currency(intent["currency"])
    money.check_amount(intent["amount"], intent["currency"])
    _check_descriptor(intent)
    _attach(call, intent, params)
    return call.store.save(intent)


def confirm(call: Call, intent_id: str, params: Document) -> Document:
    """Make one attempt to pay; raise the card_error of a decline."""
    intent = call.store.get("payment_intent", intent_id, "intent")
    attempts.expect(intent, "confirm", *OPEN)
    method = chosen_method(call, params)
    if method is not None:
        attempts.check_type(intent, method)
        intent["payment_method"] = method["id"]
    intent |= {name: value for name, value in params.items() if name in PAYER}
    return attempts.confirm(call, intent, params)


def cancel(call: Call, intent_id: str, params: Document) -> Document:
    """End an intent for good and release what was reserved; a succeeded one is refused."""
    intent = call.store.get("payment_intent", intent_id, "intent")
    attempts.expect(intent, "cancel", *OPEN, "requires_capture")
    return _end(call, intent, params.get("cancellation_reason"))


def _end(call: Call, intent: Document, reason: str | None) -> Document:
    intent |= {
        "amount_capturable": 0,
        "canceled_at": call.now,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    emit(call, "payment_intent.canceled", call.store.save(intent))
    return intent


def capture(call: Call, intent_id: str, params: Document) -> Document:
    """Take the reserved money once, in whole or in part; the rest is released."""
    intent = call.store.get("payment_intent", intent_id, "intent")
    attempts.expect(intent, "capture", "requires_capture")
    reserved = intent["amount_capturable"]
    amount = params.get("amount_to_capture") or reserved
    if amount > reserved:
        message = f"The amount could not be captured: only {reserved} is reserved."
        raise StripeError(message, code="amount_too_large", param="amount_to_capture")
    charges.capture(call, call.store.get("charge", intent["latest_charge"]), amount)
    metadata = merge_metadata(intent["metadata"], params.get("metadata"))
    intent |= {"amount_capturable": 0, "amount_received": amount, "metadata": metadata}
    emit(call, "payment_intent.succeeded", call.store.save(intent | {"status": "succeeded"}))
    return intent | {"status": "succeeded"}


def expire_authorisations(call: Call) -> None:
    """Cancel the intents whose reserved money nobody captured within seven days."""
    for intent in call.store.newest("payment_intent", where={"status": ["requires_capture"]}):
        charge = call.store.get("charge", intent["latest_charge"])
        if charges.capture_before(charge) <= call.now:
            charges.expire(call, charge)
            _end(call, intent, "expired")
