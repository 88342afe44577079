"""What a failed call of the SDK means to us."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from providers.base import OutcomeUnknown, RateLimited, Rejected


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a call means instead of how the SDK says it."""
    try:
        yield
    except stripe.RateLimitError as error:  # also a `lock_timeout`: nothing was done
        raise RateLimited(str(error), _retry_after(error)) from error
    except (stripe.APIError, stripe.APIConnectionError) as error:  # 409, 5xx, time-outs, resets
        raise OutcomeUnknown(str(error)) from error
    except stripe.StripeError as error:
        raise Rejected(f"{error.code or type(error).__name__}: {error}") from error


def _retry_after(error: stripe.StripeError) -> float | None:
    """The seconds that Stripe asks us to wait, if it does; the SDK no longer minds them."""
    seconds = (error.headers or {}).get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else None
