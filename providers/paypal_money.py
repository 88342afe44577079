"""PayPal's amounts, decimal strings in major units, in our minor units, and which it takes.

The currencies and their decimals are from developer.paypal.com/reference/currency-codes. BRL, CNY
and MYR are left out: only accounts of their own country may be paid in them.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from models.money import exponent, minor_from_decimal
from providers.base import Rejected

_WITH_TWO_DECIMALS = "AUD CAD CHF CZK DKK EUR GBP HKD ILS MXN NOK NZD PHP PLN SEK SGD THB USD"
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(_WITH_TWO_DECIMALS.split(), 2),
    # "This currency does not support decimals": ISO 4217 has two for HUF and TWD.
    **dict.fromkeys(("HUF", "JPY", "TWD"), 0),
}
MOST = 9_999_999
"""Of whole units. PayPal's own bound is far above what it lets anybody pay at once."""


@lru_cache(maxsize=256)
def chargeable(currency: str) -> range:
    """The amounts that can be paid, in our minor units; none of a currency that is not taken."""
    if currency not in DECIMALS:
        return range(0)
    step = 10 ** (exponent(currency) - DECIMALS[currency])
    return range(step, MOST * 10 ** exponent(currency) + 1, step)


def to_paypal(amount_minor: int, currency: str) -> dict[str, str]:
    """A money object; raises `Rejected` if PayPal cannot say the amount."""
    if currency not in DECIMALS:
        raise Rejected(f"PayPal does not take {currency}")
    value = Decimal(amount_minor).scaleb(-exponent(currency))
    said = value.quantize(Decimal(1).scaleb(-DECIMALS[currency]))
    if said != value:
        raise Rejected(f"PayPal takes {currency} with {DECIMALS[currency]} decimals only")
    return {"currency_code": currency, "value": f"{said:f}"}


def from_paypal(money: Mapping[str, Any]) -> int:
    """The minor units of a money object; raises ValueError if it is none."""
    try:
        return minor_from_decimal(Decimal(money["value"]), money["currency_code"])
    except InvalidOperation as error:
        raise ValueError(f"{money['value']!r} is no amount") from error
