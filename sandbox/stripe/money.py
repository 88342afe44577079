"""Which currencies Stripe takes, and its smallest and largest amounts in minor units."""

from sandbox.stripe.errors import ParameterError, StripeError

LARGEST = 99_999_999

_TWO_DECIMALS = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl "
    "htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop "
    "mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar "
    "sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst "
    "xcd xcg yer zar zmw"
)
_NO_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_THREE_DECIMALS = "bhd jod kwd omr tnd"
DECIMALS = (
    dict.fromkeys(_TWO_DECIMALS.split(), 2)
    | dict.fromkeys(_NO_DECIMALS.split(), 0)
    | dict.fromkeys(_THREE_DECIMALS.split(), 3)
)
SMALLEST = {
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
}
SMALLEST_ELSEWHERE = 50
# The last digits that a currency cannot pay out: three decimals, or none despite two written.
ROUNDED_TO = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}


def check_currency(currency: str) -> None:
    """Raise unless Stripe knows the currency, written in lower case."""
    if currency not in DECIMALS:
        raise ParameterError(
            "currency", f"Invalid currency: {currency}. Stripe expects a lower-case ISO code."
        )


def check_amount(amount: int, currency: str) -> None:
    """Raise unless a payment of this many minor units can be taken in this currency."""
    smallest = SMALLEST.get(currency, SMALLEST_ELSEWHERE)
    if amount < smallest:
        message = f"Amount must be at least {smallest} {currency} in minor units"
        raise StripeError(message, code="amount_too_small", param="amount")
    if amount > LARGEST:
        message = f"Amount must be no more than {LARGEST} {currency} in minor units"
        raise StripeError(message, code="amount_too_large", param="amount")
    if amount % ROUNDED_TO.get(currency, 1):
        message = f"Amounts in {currency} must be divisible by {ROUNDED_TO[currency]}"
        raise StripeError(message, param="amount")


def written(amount: int, currency: str) -> str:
    """Return minor units as people write them: `49.90 EUR`."""
    decimals = DECIMALS[currency]
    return f"{amount / 10**decimals:.{decimals}f} {currency.upper()}"
