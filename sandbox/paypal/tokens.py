"""Access tokens: given for the client's id and secret, good for some hours of the fake clock."""

import secrets

from sandbox.paypal.call import Call
from sandbox.provider.refusal import Document

SCOPE = "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/disputes"


def give(call: Call) -> Document:
    """A new token, as PayPal answers it."""
    token = "A21AA" + secrets.token_urlsafe(48)
    lasts = int(call.store.configuration()["token_seconds"])
    call.store.add("token", {"id": token, "created": call.now, "until": call.now + lasts})
    return {
        "scope": SCOPE,
        "access_token": token,
        "token_type": "Bearer",
        "app_id": "APP-SANDBOX0000000",
        "expires_in": lasts,
        "nonce": secrets.token_hex(16),
    }


def is_good(call: Call, token: str) -> bool:
    """Whether a request may be made with it now."""
    known = call.store.find("token", token)
    return known is not None and call.now < known["until"]
