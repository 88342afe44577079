"""The errors of the API, with the names, issues and statuses that PayPal gives them."""

import secrets

from sandbox.provider.faults import Fault
from sandbox.provider.refusal import Document, Refusal

# The words of PayPal's own documents: they are constants there.
_NAMED = {
    400: (
        "INVALID_REQUEST",
        "Request is not well-formed, syntactically incorrect, or violates schema.",
    ),
    401: (
        "AUTHENTICATION_FAILURE",
        (
            "Authentication failed due to missing authorization header, or invalid authentication"
            " credentials."
        ),
    ),
    403: ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: (
        "RESOURCE_CONFLICT",
        "The server has detected a conflict while processing this request.",
    ),
    422: (
        "UNPROCESSABLE_ENTITY",
        (
            "The requested action could not be performed, semantically incorrect, or failed"
            " business validation."
        ),
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable."),
}


class PayPalError(Refusal):
    """An answer other than 2xx; nothing that was done before it was raised remains."""

    def __init__(self, status: int, issue: str | None = None, description: str = "") -> None:
        self.name, message = _NAMED.get(status, _NAMED[500])
        super().__init__(message, status)
        self.issue, self.description = issue, description or message

    @property
    def said(self) -> str:
        """PayPal's message is the same for all of a kind; its description says why."""
        return self.description

    def body(self) -> Document:
        """Answer body in PayPal's shape."""
        found = {
            "name": self.name,
            "message": str(self),
            "debug_id": secrets.token_hex(7)[:13],
            "links": [],
        }
        if self.issue is None:
            return found
        return found | {"details": [{"issue": self.issue, "description": self.description}]}


class InstrumentDeclinedError(PayPalError):
    """The buyer's means of payment was refused: that the buyer must choose anew remains."""

    def __init__(self, issue: str) -> None:
        super().__init__(
            422,
            issue,
            "The instrument presented was either declined by the processor or bank, or it can't be"
            " used for this payment.",
        )


def invalid(issue: str, description: str) -> PayPalError:
    """Refused by its form alone."""
    return PayPalError(400, issue, description)


def unprocessable(issue: str, description: str) -> PayPalError:
    """Well-formed, and yet not to be done."""
    return PayPalError(422, issue, description)


def missing(kind: str, document_id: str, _param: str) -> PayPalError:
    """404 for an object that the path names."""
    description = f"Specified {kind} ID {document_id} does not exist. Please check the ID."
    return PayPalError(404, "INVALID_RESOURCE_ID", description)


def in_progress(_key: str) -> PayPalError:
    """A second request with an id whose first one still runs."""
    description = "The previous request on this resource is currently in progress."
    return PayPalError(409, "PREVIOUS_REQUEST_IN_PROGRESS", description)


def on_order(fault: Fault) -> PayPalError:
    """The error that the control surface has asked for."""
    return PayPalError(fault.status, fault.code)
