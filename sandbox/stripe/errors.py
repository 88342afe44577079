"""The errors of the API, with the types, codes and statuses that Stripe gives them."""

from typing import Any

Document = dict[str, Any]


class StripeError(Exception):
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
        super().__init__(message)
        self.status = status
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
