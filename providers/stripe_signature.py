"""Whether Stripe signed a delivery, and now."""

import time
from collections.abc import Iterable

import stripe

_TOLERANCE_SECONDS = 300


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of our secrets made this `Stripe-Signature` of the raw body, just now."""
    return any(_is_signed_with(secret, body, signature) for secret in secrets)


def _is_signed_with(secret: str, body: bytes, signature: str) -> bool:
    if not signature.isascii():  # which the SDK cannot compare
        return False
    try:
        payload = body.decode()
        stripe.WebhookSignature.verify_header(
            payload, signature, secret, tolerance=_TOLERANCE_SECONDS
        )
    except (UnicodeDecodeError, stripe.SignatureVerificationError):
        return False
    return not _is_from_the_future(signature)


def _is_from_the_future(signature: str) -> bool:
    """The SDK refuses old deliveries only; one dated ahead could be replayed for hours."""
    fields = [part.split("=") for part in signature.split(",")]
    signed_at = next(int(field[1]) for field in fields if field[0] == "t")  # as the SDK reads it
    return signed_at > time.time() + _TOLERANCE_SECONDS
