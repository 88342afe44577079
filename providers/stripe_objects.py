"""Stripe's objects in our words: states, amounts, events. Pure translation, no calls."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models.intents import Failure, ListedPayment, PaymentSnapshot, PaymentState
from models.money import exponent
from providers.base import MalformedEvent, OutcomeUnknown, ProviderEvent, Rejected

_STATES: Mapping[str, PaymentState] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "authorised",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}

# Stripe's exponents where they differ from ISO 4217 (docs.stripe.com/currencies): ISK and UGX
# keep two decimals for compatibility, MGA has none.
_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}

# The least charge (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts), in ISO
# minor units.
MINIMUM_MINOR: Mapping[str, int] = {
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip

# `next_action` leads a browser on, by addresses that carry a client secret.
_UNREADABLE = (
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
    OutcomeUnknown,
)
_SECRETS = frozenset({"client_secret", "next_action"})
_PERSONAL = frozenset(
    {"billing_details", "shipping", "receipt_email", "customer_details", "payment_method_details"}
)


def to_stripe(amount_minor: int, currency: str) -> int:
    """An amount in the units Stripe counts in; raises `Rejected` if it cannot be said in them."""
    shift = _EXPONENTS.get(currency, exponent(currency)) - exponent(currency)
    if shift >= 0:
        return amount_minor * _power(shift)
    whole, rest = divmod(amount_minor, _power(-shift))
    if rest:
        raise Rejected(f"Stripe takes {currency} in whole units only")
    return whole


def from_stripe(amount: int, currency: str) -> int:
    """An amount of Stripe's in our minor units."""
    shift = exponent(currency) - _EXPONENTS.get(currency, exponent(currency))
    return amount * _power(shift) if shift >= 0 else amount // _power(-shift)


def _power(digits: int) -> int:
    return int(10**digits)


def snapshot(intent: Mapping[str, Any]) -> PaymentSnapshot:
    """A payment intent as a snapshot; `OutcomeUnknown` for a status nobody has heard of."""
    state = _STATES.get(intent["status"])
    if state is None:
        raise OutcomeUnknown(f"unknown payment intent status {intent['status']!r}")
    currency = intent["currency"].upper()
    return PaymentSnapshot(
        provider_payment_id=intent["id"],
        state=state,
        amount_minor=from_stripe(intent["amount"], currency),
        received_minor=from_stripe(intent.get("amount_received") or 0, currency),
        currency=currency,
        is_live=intent["livemode"],
        client_secret=intent.get("client_secret"),
        failure=_failure(intent.get("last_payment_error")),
        raw=scrubbed(intent),
    )


def listed(intent: Mapping[str, Any], mark: str) -> ListedPayment | None:
    """An intent of a list; None if it does not bear our mark."""
    payment_id = _marked(intent.get("metadata") or {}, mark)
    if payment_id is None:
        return None
    seen = snapshot(intent)
    return ListedPayment(
        payment_id=payment_id,
        provider_payment_id=seen.provider_payment_id,
        created_at=datetime.fromtimestamp(intent["created"], UTC),
        state=seen.state,
        amount_minor=seen.amount_minor,
        received_minor=seen.received_minor,
        currency=seen.currency,
    )


def _failure(error: Mapping[str, Any] | None) -> Failure | None:
    if error is None:
        return None
    return Failure(
        code=error.get("decline_code") or error.get("code") or error.get("type") or "declined",
        message=error.get("message") or "The payment was declined.",
        charge_id=error.get("charge"),
    )


def scrubbed(words: Any) -> Any:
    """A copy without what must not be stored (client secrets, people's data) or cannot: NULs."""
    if isinstance(words, Mapping):
        return {
            scrubbed(key): scrubbed(value)
            for key, value in words.items()
            if key not in _SECRETS and key not in _PERSONAL
        }
    if isinstance(words, list):
        return [scrubbed(value) for value in words]
    return words.replace("\0", "") if isinstance(words, str) else words


def event(body: Mapping[str, Any], *, mark: str, is_live: bool, account: str) -> ProviderEvent:
    """A verified event; `mark` is what our own objects bear as metadata `app`.

    Raises `MalformedEvent` for what is no event of Stripe's API v1.
    """
    try:
        return _event(body, mark, is_live, account)
    except _UNREADABLE as error:
        raise MalformedEvent(f"not an event of Stripe's: {error!r}") from error


def _event(body: Mapping[str, Any], mark: str, is_live: bool, account: str) -> ProviderEvent:
    subject = body["data"]["object"]
    metadata = subject.get("metadata") or {}
    tells_of_payment = subject.get("object") == "payment_intent"
    cause = body.get("request") or {}
    return ProviderEvent(
        event_id=_word(body["id"]),
        type=_word(body["type"]),
        occurred_at=datetime.fromtimestamp(body["created"], UTC),
        foreign_because=_foreign(body, metadata, mark=mark, is_live=is_live, account=account),
        idempotency_key=cause.get("idempotency_key"),
        provider_payment_id=subject["id"] if tells_of_payment else None,
        marked_payment_id=_marked(metadata, mark),
        payment=snapshot(subject) if tells_of_payment else None,
        body=scrubbed(body),
    )


def _word(value: Any) -> str:
    """A name of Stripe's, as `evt_1`; raises ValueError for anything else."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value
    raise ValueError(f"{value!r} is no name")


def _foreign(
    body: Mapping[str, Any], metadata: Mapping[str, str], *, mark: str, is_live: bool, account: str
) -> str | None:
    if body["livemode"] != is_live:
        return "it is of the other mode"
    if body.get("account") and body["account"] != account:
        return "it is of another account"
    if metadata.get("app", mark) != mark:
        return "it is of another application"
    return None


def _marked(metadata: Mapping[str, str], mark: str) -> int | None:
    """Our payment's id; the older app's objects bear an order id alone and are found by theirs."""
    marked = metadata.get("payment_id", "")
    return int(marked) if metadata.get("app") == mark and marked.isdecimal() else None
