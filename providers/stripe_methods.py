"""The ways to pay that are asked of Stripe by name, and who can use them."""

from collections.abc import Mapping
from typing import Any

from models.intents import PaymentRequest, PaymentSnapshot
from providers.base import Method

# Buyers pay Klarna in the currency of their own country (docs.stripe.com/payments/klarna,
# "Supported customer countries"; docs.klarna.com, "Purchase countries, currencies and locales").
# An account sells to its own region only: what it does not serve, Stripe refuses.
KLARNA_MARKETS: Mapping[str, frozenset[str]] = {
    "EUR": frozenset(["AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PT"]),
    "AUD": frozenset(["AU"]),
    "CAD": frozenset(["CA"]),
    "CHF": frozenset(["CH"]),
    "CZK": frozenset(["CZ"]),
    "DKK": frozenset(["DK"]),
    "GBP": frozenset(["GB"]),
    "NOK": frozenset(["NO"]),
    "NZD": frozenset(["NZ"]),
    "PLN": frozenset(["PL"]),
    "SEK": frozenset(["SE"]),
    "USD": frozenset(["US"]),
}

METHODS = (
    Method(name="card"),
    Method(name="klarna", is_redirect=True, markets=KLARNA_MARKETS),
)


def asked_of(request: PaymentRequest) -> dict[str, Any]:
    """The parameters that ask for the way to pay; one that leads away is confirmed at once.

    Klarna needs to know the buyer's country and address (docs.stripe.com/payments/klarna).
    """
    if request.payment_method is None:
        return {"automatic_payment_methods": {"enabled": True}}
    allowed = {"allowed_payment_method_types": [request.payment_method]}
    if request.return_url is None:
        return allowed
    buyer = {"address": {"country": request.country}, "email": request.email}
    return {
        **allowed,
        "confirm": True,
        "payment_method_data": {"type": request.payment_method, "billing_details": buyer},
        "return_url": request.return_url,
    }


def is_granted(request: PaymentRequest, made: PaymentSnapshot) -> bool:
    """Whether the payment can be paid as was asked: Stripe drops silently what does not fit."""
    return request.payment_method in (None, *made.raw["payment_method_types"])
