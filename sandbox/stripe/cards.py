"""Test cards: numbers and `pm_card_…` names of Stripe, and what happens to who pays with them."""

from dataclasses import dataclass
from typing import Literal

from sandbox.stripe.call import Call, random_id
from sandbox.stripe.errors import Document, StripeError
from sandbox.stripe.forms import require

ADVICE = {"insufficient_funds": "try_again_later", "processing_error": "try_again_later"}


@dataclass(frozen=True)
class Decline:
    """Why the bank says no: Stripe's code, the bank's, and the words for the customer."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Card:
    """A test card and its fate."""

    number: str
    name: str
    brand: str = "visa"
    decline: Decline | None = None
    authenticates: bool = False
    slow: bool = False
    disputed: bool = False
    refund: Literal["succeeds", "succeeds_later", "fails_later"] = "succeeds"

    @property
    def last4(self) -> str:
        """The last four digits, which differ between all test cards."""
        return self.number[-4:]


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


CARDS = (
    Card("4242424242424242", "pm_card_visa"),
    Card("5555555555554444", "pm_card_mastercard", brand="mastercard"),
    Card("4000000000000077", "pm_card_bypassPending"),
    Card("4000000000000002", "pm_card_chargeDeclined", decline=_declined("generic_decline")),
    Card(
        "4000000000009995",
        "pm_card_chargeDeclinedInsufficientFunds",
        decline=_declined("insufficient_funds", "Your card has insufficient funds."),
    ),
    Card("4000000000009987", "pm_card_chargeDeclinedLostCard", decline=_declined("lost_card")),
    Card("4000000000009979", "pm_card_chargeDeclinedStolenCard", decline=_declined("stolen_card")),
    Card(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        decline=Decline("expired_card", None, "Your card has expired."),
    ),
    Card(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        decline=Decline("incorrect_cvc", None, "Your card's security code is incorrect."),
    ),
    Card(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        decline=Decline(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    Card("4000002500003155", "pm_card_authenticationRequiredOnSetup", authenticates=True),
    Card("4000002760003184", "pm_card_authenticationRequired", authenticates=True),
    Card("4000000000000259", "pm_card_createDispute", disputed=True),
    Card("4000000000007726", "pm_card_pendingRefund", refund="succeeds_later"),
    Card("4000000000005126", "pm_card_refundFail", refund="fails_later"),
    # Stripe has no card that stays `processing`; this one is the sandbox's own.
    Card("4000000000001109", "pm_card_processing", slow=True),
)
BY_NUMBER = {card.number: card for card in CARDS}
BY_LAST4 = {card.last4: card for card in CARDS}
BY_NAME = {card.name: card for card in CARDS} | {
    card.name.replace("pm_card_", "pm_card_visa_"): card for card in CARDS if card.decline
}


def card_of(method: Document) -> Card:
    """Return the test card behind a payment method; Klarna behaves as a card that authenticates."""
    if method["type"] == "klarna":
        return Card("", "klarna", brand="klarna", authenticates=True)
    return BY_LAST4[method["card"]["last4"]]


def from_name(call: Call, name: str) -> Document:
    """Return a new payment method for a `pm_card_…`, or the one that has this id."""
    if name in BY_NAME:
        return call.store.add("payment_method", _card_method(call, BY_NAME[name], {}))
    return call.store.get("payment_method", name, "payment_method")


def from_data(call: Call, data: Document) -> Document:
    """Return a new payment method from what a buyer typed in."""
    require(data, "type", inside="payment_method_data")
    billing = data.get("billing_details", {})
    if data["type"] == "klarna":
        method = _method(call, "klarna", billing) | {"klarna": {"dob": None}}
    else:
        card = data.get("card", {})
        method = _card_method(call, _typed_in(card), billing)
        for part in ("exp_month", "exp_year"):
            method["card"][part] = card.get(part, method["card"][part])
    return call.store.add("payment_method", method)


def _typed_in(card: Document) -> Card:
    number = str(card.get("number") or "").replace(" ", "")
    if number in BY_NUMBER:
        return BY_NUMBER[number]
    if not _passes_luhn(number):
        message = "Your card number is incorrect."
        raise StripeError(message, status=402, kind="card_error", code="incorrect_number")
    message = "Your card was declined: a test needs one of the test cards."
    raise StripeError(
        message,
        status=402,
        kind="card_error",
        code="card_declined",
        decline_code="test_mode_live_card",
    )


def _passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return bool(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _card_method(call: Call, card: Card, billing: Document) -> Document:
    checks = dict.fromkeys(("address_line1_check", "address_postal_code_check"))
    return _method(call, "card", billing) | {
        "card": {
            "brand": card.brand,
            "checks": checks | {"cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": f"sandbox{card.last4}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        }
    }


def _method(call: Call, kind: str, billing: Document) -> Document:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "id": random_id("pm_1"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": dict.fromkeys(("email", "name", "phone", "tax_id"))
        | billing
        | {"address": address | billing.get("address", {})},
        "created": call.now,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }
