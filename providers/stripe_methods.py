"""The ways to pay that are asked of Stripe by name, and who can use them."""

from collections.abc import Mapping

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
