"""`PayPal-Request-Id`: a repetition has no effect and is told how the first one's object is now."""

from sandbox.paypal.call import Call
from sandbox.paypal.errors import invalid
from sandbox.provider.refusal import Document

LONGEST = 108


def check_length(request_id: str) -> None:
    """Raise for an id that is longer than PayPal takes."""
    if not 1 <= len(request_id) <= LONGEST:
        raise invalid("INVALID_STRING_LENGTH", f"PayPal-Request-Id has 1 to {LONGEST} characters.")


def first(call: Call, request_id: str, kind: str, kept_seconds: int) -> Document | None:
    """The object that an earlier request with this id has made or changed, as it is now."""
    known = call.store.find("request", request_id)
    if known is None:
        return None
    if call.now >= known["created"] + kept_seconds:
        call.store.remove(request_id)
        return None
    return call.store.get(kind, known["subject"])


def remember(call: Call, request_id: str, subject: Document) -> None:
    """Keep which object a request has made or changed."""
    call.store.add("request", {"id": request_id, "created": call.now, "subject": subject["id"]})
