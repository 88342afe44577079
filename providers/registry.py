"""Which providers there are, each built once in a process and imported only when needed."""

from functools import cache

import settings
from providers.base import PaymentProvider

NAMES = ("stripe", "paypal")
"""All that there are; webhooks without a name in their path are of the first."""


def in_use() -> tuple[str, ...]:
    """Those that this shop has an account with; the first takes what nobody chose."""
    return settings.current().payment_providers


@cache
def get(name: str) -> PaymentProvider:
    """The adapter of this name; raises LookupError for a name that is not in `NAMES`."""
    if name == "stripe":
        from providers.stripe import Stripe  # noqa: PLC0415 - half a second and 44 MB

        return Stripe(settings.current())
    if name == "paypal":
        from providers.paypal import PayPal  # noqa: PLC0415 - only where it is in use

        return PayPal(settings.current())
    raise LookupError(name)
