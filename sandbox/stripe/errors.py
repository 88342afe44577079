"""The errors of the API, with the types, codes and statuses that Stripe gives them."""

from sandbox.provider.faults import Fault
from sandbox.provider.refusal import Document, Refusal

__all__ = ["CardError", "Document", "ParameterError", "StripeError", "missing", "on_order"]

_CODES = {429: "rate_limit", 409: "idempotency_key_in_use", 402: "card_declined"}
_KINDS = {402: "card_error", 409: "invalid_request_error", 429: "invalid_request_error"}


class StripeError(Refusal):
    """An answer other than 200; nothing that was done before it was raised remains."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        **details: object,
    ) -> None:
        super().__init__(message, status)
        self.error: Document = {"type": kind, "message": message}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = "https://docs.stripe.com/error-codes#" + code.replace("_", "-")
        self.error.update({name: value for name, value in details.items() if value is not None})

    def body(self) -> Document:
        """Answer body in Stripe's shape."""
        return {"error": self.error}


class ParameterError(StripeError):
    """Refused by its form alone."""

    def __init__(self, param: str, message: str, code: str | None = None) -> None:
        super().__init__(message, code=code, param=param)


class CardError(StripeError):
    """The bank said no: the attempt, its failed charge and their events remain."""


def missing(kind: str, object_id: str, param: str) -> StripeError:
    """404 for an object that the path names, 400 for one that a parameter names."""
    status = 404 if param in ("id", "intent") else 400
    message = f"No such {kind}: '{object_id}'"
    return StripeError(message, status=status, code="resource_missing", param=param)


def on_order(fault: Fault) -> StripeError:
    """The error that the control surface has asked for."""
    return StripeError(
        "The sandbox was told to fail here.",
        status=fault.status,
        kind=_KINDS.get(fault.status, "api_error"),
        code=fault.code or _CODES.get(fault.status),
    )
