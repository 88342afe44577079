"""Which currencies PayPal takes, and amounts as it writes them: decimal strings in major units.

developer.paypal.com/reference/currency-codes: HUF, JPY and TWD have no decimals there.
"""

import re
from decimal import Decimal

from sandbox.paypal.errors import invalid, unprocessable
from sandbox.provider.refusal import Document

_TWO_DECIMALS = (
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD"
)
DECIMALS = dict.fromkeys(_TWO_DECIMALS.split(), 2) | dict.fromkeys(("HUF", "JPY", "TWD"), 0)
_VALUE = re.compile(r"\d{1,10}(\.\d+)?")


def read(amount: object) -> tuple[int, str]:
    """The minor units and the currency of a money object; raises for what PayPal does not take."""
    if not isinstance(amount, dict) or set(amount) - {"currency_code", "value", "breakdown"}:
        raise invalid("MISSING_REQUIRED_PARAMETER", "A required field is missing: amount")
    currency, value = amount.get("currency_code"), amount.get("value")
    if currency not in DECIMALS:
        raise unprocessable("INVALID_CURRENCY_CODE", f"Currency code {currency} is not supported.")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise invalid("INVALID_PARAMETER_SYNTAX", "The value of a field does not conform: value")
    minor = Decimal(value).scaleb(DECIMALS[currency])
    if minor != minor.to_integral_value():
        raise unprocessable("DECIMAL_PRECISION", f"{currency} has {DECIMALS[currency]} decimals.")
    if minor == 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero.")
    return int(minor), currency


def written(minor: int, currency: str) -> Document:
    """Minor units as a money object."""
    return {"currency_code": currency, "value": value_of(minor, currency)}


def value_of(minor: int, currency: str) -> str:
    """Minor units as people write them: `49.90`."""
    return f"{Decimal(minor).scaleb(-DECIMALS[currency]):f}"


def said(minor: int, currency: str) -> str:
    """Minor units with their currency: `49.90 EUR`."""
    return f"{value_of(minor, currency)} {currency}"
