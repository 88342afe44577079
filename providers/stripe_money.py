"""Stripe's amounts in our minor units, and which of them it charges.

All of it is from docs.stripe.com/currencies: "Zero-decimal currencies", "Three-decimal
currencies", "Special cases", "Minimum and maximum charge amounts".
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from models.money import exponent
from providers.base import Rejected


class Peculiarity(NamedTuple):
    """How Stripe counts a currency: its decimals, and of what an amount must be a multiple."""

    exponent: int
    step: int = 1


PECULIAR: Mapping[str, Peculiarity] = {
    # Written with two decimals for compatibility, although there are none: 500 is 5 ISK.
    "ISK": Peculiarity(2, step=100),
    "UGX": Peculiarity(2, step=100),
    # ISO 4217 has two decimals, of which Stripe knows none.
    "MGA": Peculiarity(0),
    # The partners of Stripe take no third decimal: 5.124 KWD must be 5120 or 5130.
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), Peculiarity(3, step=10)),
    # Whole units are for payouts alone: charges and refunds have both decimals.
    **dict.fromkeys(("HUF", "TWD"), Peculiarity(2)),
}
"""Where it does not simply count as ISO 4217 does, or seems not to."""

MOST = 99_999_999
"""Of Stripe's own units: eight digits."""

# In ISO minor units.
MINIMUM_MINOR: Mapping[str, int] = {
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip


@lru_cache(maxsize=256)
def chargeable(currency: str) -> range:
    """The amounts that Stripe charges, in our minor units; some have no known minimum."""
    step = max(1, from_stripe(_counted(currency).step, currency))
    least = MINIMUM_MINOR.get(currency, step)
    return range(least + -least % step, from_stripe(MOST, currency) + 1, step)


def to_stripe(amount_minor: int, currency: str) -> int:
    """An amount in the units Stripe counts in; raises `Rejected` if it cannot be said in them."""
    shift = _counted(currency).exponent - exponent(currency)
    if shift >= 0:
        return amount_minor * _power(shift)
    whole, rest = divmod(amount_minor, _power(-shift))
    if rest:
        raise Rejected(f"Stripe takes {currency} in whole units only")
    return whole


def from_stripe(amount: int, currency: str) -> int:
    """An amount of Stripe's in our minor units."""
    shift = exponent(currency) - _counted(currency).exponent
    return amount * _power(shift) if shift >= 0 else amount // _power(-shift)


def _counted(currency: str) -> Peculiarity:
    return PECULIAR.get(currency) or Peculiarity(exponent(currency))


def _power(digits: int) -> int:
    return int(10**digits)
