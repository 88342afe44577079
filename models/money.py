"""Money is an integer of minor units and a currency; ISO 4217 says how many digits that is."""

from decimal import Decimal
from functools import cache

from iso4217 import Currency


class UnknownCurrencyError(ValueError):
    """The code is not a currency of ISO 4217 that has minor units."""


@cache
def exponent(currency: str) -> int:
    """The number of decimals of a currency: EUR 2, JPY 0, KWD 3."""
    try:
        digits = Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise UnknownCurrencyError(currency)
    return digits


def minor_from_decimal(value: Decimal, currency: str) -> int:
    """19.99 EUR → 1999; raises ValueError if the value has more decimals than the currency."""
    minor = value.scaleb(exponent(currency))
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise ValueError(f"{currency} has {exponent(currency)} decimals")
    return int(minor)


def decimal_string(minor: int, currency: str) -> str:
    """1999 EUR → "19.99"; 500 JPY → "500"; 1500 KWD → "1.500"."""
    places = exponent(currency)
    if not places:
        return str(minor)
    digits = f"{abs(minor):0{places + 1}d}"
    return f"{'-' if minor < 0 else ''}{digits[:-places]}.{digits[-places:]}"
