"""Stripe's amounts in our minor units: its exponents are not always those of ISO 4217."""

from collections.abc import Mapping

from models.money import exponent
from providers.base import Rejected

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
