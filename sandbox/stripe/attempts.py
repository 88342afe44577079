"""One attempt to pay an intent: the card decides, the buyer authenticates, the bank answers."""

from sandbox.stripe import charges, disputes
from sandbox.stripe.call import Call
from sandbox.stripe.cards import ADVICE, Decline, card_of
from sandbox.stripe.errors import CardError, Document, StripeError
from sandbox.stripe.events import emit

NOT_AUTHENTICATED = (
    "payment_intent_authentication_failure",
    "The provided PaymentMethod has failed authentication; try again, or take a new one.",
)
REFUSED_AT_KLARNA = (
    "payment_method_customer_decline",
    "The customer declined the payment on the page of the payment method.",
)
BANK_SAYS_NO = Decline("card_declined", "generic_decline", "Your card was declined.")


def expect(intent: Document, action: str, *states: str) -> None:
    """Raise payment_intent_unexpected_state unless the intent is in one of these states."""
    if intent["status"] not in states:
        raise StripeError(
            f"You cannot {action} this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
            f"changed that way: {', '.join(states)}.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )


def check_type(intent: Document, method: Document) -> None:
    """Raise unless the intent takes payment methods of this type."""
    if method["type"] not in intent["payment_method_types"]:
        message = f"The PaymentMethod provided ({method['type']}) is not allowed for this payment."
        raise StripeError(
            message, code="payment_intent_incompatible_payment_method", param="payment_method"
        )


def confirm(call: Call, intent: Document, params: Document) -> Document:
    """Try to pay with the intent's payment method; raise the card_error of a decline."""
    if intent["payment_method"] is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise StripeError(message, code="payment_intent_unexpected_state", payment_intent=intent)
    _check_return_url(intent, params)
    intent |= {"last_payment_error": None, "next_action": None}
    method = call.store.get("payment_method", intent["payment_method"])
    if card_of(method).authenticates or _asks_for_authentication(intent):
        return _challenge(call, intent, params)
    return charge(call, intent)


def _check_return_url(intent: Document, params: Document) -> None:
    automatic = intent["automatic_payment_methods"]
    redirects = automatic is None or automatic["allow_redirects"] == "always"
    if redirects and not params.get("return_url") and not params.get("use_stripe_sdk"):
        message = (
            "This PaymentIntent takes payment methods that may redirect the customer, so "
            "confirming it needs a `return_url`; or create it with "
            "`automatic_payment_methods[allow_redirects]` set to `never`."
        )
        raise StripeError(message, param="return_url")


def _asks_for_authentication(intent: Document) -> bool:
    options = intent["payment_method_options"].get("card", {})
    return options.get("request_three_d_secure") in ("any", "challenge")


def _challenge(call: Call, intent: Document, params: Document) -> Document:
    page = f"{call.base_url}/authenticate/{intent['client_secret']}"
    if params.get("use_stripe_sdk"):
        action: Document = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page},
        }
    else:
        back = params.get("return_url")
        action = {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": back, "url": page},
        }
    intent |= {"next_action": action, "status": "requires_action"}
    emit(call, "payment_intent.requires_action", call.store.save(intent))
    return intent


def authenticate(call: Call, intent: Document) -> Document:
    """Let the buyer pass 3-D Secure or approve at Klarna; the bank then decides."""
    expect(intent, "authenticate", "requires_action")
    return charge(call, intent)


def fail_authentication(call: Call, intent: Document) -> Document:
    """Let the buyer fail 3-D Secure or refuse at Klarna: no charge, and another try may be made."""
    expect(intent, "authenticate", "requires_action")
    method = call.store.get("payment_method", intent["payment_method"])
    code, message = REFUSED_AT_KLARNA if method["type"] == "klarna" else NOT_AUTHENTICATED
    error = StripeError(message, code=code, payment_method=method)
    return _reopen(call, intent, error.error)


def charge(call: Call, intent: Document) -> Document:
    """Ask the bank for the money and take its answer, which a slow card gives later."""
    method = call.store.get("payment_method", intent["payment_method"])
    new = charges.open_charge(call, intent, method)
    intent |= {"latest_charge": new["id"], "next_action": None}
    card = card_of(method)
    if card.slow:
        intent |= {"status": "processing"}
        emit(call, "charge.pending", new)
        emit(call, "payment_intent.processing", call.store.save(intent))
        return intent
    if card.decline:
        raise decline(call, intent, card.decline)
    return settle(call, intent)


def settle(call: Call, intent: Document) -> Document:
    """Let the bank say yes to the pending charge of an intent."""
    captured = intent["capture_method"] != "manual"
    paid = charges.succeed(
        call, call.store.get("charge", intent["latest_charge"]), captured=captured
    )
    if captured:
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        emit(call, "payment_intent.succeeded", call.store.save(intent))
    else:
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        emit(call, "payment_intent.amount_capturable_updated", call.store.save(intent))
    if captured and charges.is_disputed_card(call, paid):
        disputes.open_dispute(call, paid)
    return intent


def decline(call: Call, intent: Document, reason: Decline = BANK_SAYS_NO) -> CardError:
    """Let the bank say no; return the card_error that a confirming request is answered with."""
    failed = charges.fail(call, call.store.get("charge", intent["latest_charge"]), reason)
    error = CardError(
        reason.message,
        status=402,
        kind="card_error",
        code=reason.code,
        decline_code=reason.decline_code,
        advice_code=ADVICE.get(reason.decline_code or reason.code),
        charge=failed["id"],
        payment_method=call.store.get("payment_method", intent["payment_method"]),
    )
    _reopen(call, intent, dict(error.error))
    error.error["payment_intent"] = intent
    return error


def _reopen(call: Call, intent: Document, error: Document) -> Document:
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    emit(call, "payment_intent.payment_failed", call.store.save(intent))
    return intent
