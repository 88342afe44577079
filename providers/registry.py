"""Which providers there are, each built once in a process and imported only when needed."""

from functools import cache

import settings
from providers.base import PaymentProvider

NAMES = ("stripe",)


@cache
def get(name: str) -> PaymentProvider:
    """The adapter of this name; raises LookupError for a name that is not in `NAMES`."""
    if name == "stripe":
        from providers.stripe import Stripe  # noqa: PLC0415 - half a second and 44 MB

        return Stripe(settings.current())
    raise LookupError(name)
