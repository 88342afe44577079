"""PayPal's events in our words: one table says what each type tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from models.intents import DisputeSnapshot, Failure, PaymentSnapshot, RefundSnapshot, Subject
from providers import paypal_marks, paypal_objects
from providers.base import MalformedEvent, ProviderEvent
from providers.paypal_kept import kept_of_event
from providers.paypal_objects import Words

_UNREADABLE = (
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
)


class _Told(TypedDict, total=False):
    payment: PaymentSnapshot
    refund: RefundSnapshot
    dispute: DisputeSnapshot
    attempt: Failure
    looks: frozenset[Subject]
    warning: str


def _order(order: Words, reader: "EventReader") -> _Told:
    return {"payment": paypal_objects.order(order, is_live=reader.is_live)}


def _authorisation(reserved: Words, reader: "EventReader") -> _Told:
    return {"payment": paypal_objects.authorisation(reserved, is_live=reader.is_live)}


def _capture(capture: Words, reader: "EventReader") -> _Told:
    payment = paypal_objects.capture(capture, is_live=reader.is_live)
    told: _Told = {"payment": payment}
    return {**told, "attempt": payment.failure} if payment.failure else told


def _refund(refund: Words, reader: "EventReader") -> _Told:
    return {"refund": paypal_objects.refund(refund, reader.app, None)}


def _dispute(dispute: Words, _: "EventReader") -> _Told:
    return {"dispute": paypal_objects.dispute(dispute, None)}


def _reversal(_: Words, __: "EventReader") -> _Told:
    return {
        "warning": "PayPal or a bank took the money back",
        "looks": frozenset({"refunds", "disputes"}),
    }


# Of other types, nothing is known.
_TELLS: Mapping[str, Callable[[Words, "EventReader"], _Told]] = {
    "CHECKOUT.ORDER.APPROVED": _order,
    "CHECKOUT.ORDER.COMPLETED": _order,
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": lambda _, __: {"looks": frozenset({"payment"})},
    "PAYMENT.AUTHORIZATION.CREATED": _authorisation,
    "PAYMENT.AUTHORIZATION.VOIDED": _authorisation,
    "PAYMENT.CAPTURE.COMPLETED": _capture,
    "PAYMENT.CAPTURE.PENDING": _capture,
    "PAYMENT.CAPTURE.DENIED": _capture,
    "PAYMENT.CAPTURE.DECLINED": _capture,
    "PAYMENT.CAPTURE.REFUNDED": _refund,
    "PAYMENT.CAPTURE.REVERSED": _reversal,
    "PAYMENT.REFUND.PENDING": _refund,
    "PAYMENT.REFUND.FAILED": _refund,
    "CUSTOMER.DISPUTE.CREATED": _dispute,
    "CUSTOMER.DISPUTE.UPDATED": _dispute,
    "CUSTOMER.DISPUTE.RESOLVED": _dispute,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReader:
    """Reads the events of one application; `app` is what the marks on our objects begin with."""

    app: str
    is_live: bool

    def read(self, body: Words) -> ProviderEvent:
        """A verified event; raises `MalformedEvent` for what is no event of PayPal's."""
        try:
            return self._event(body)
        except _UNREADABLE as error:
            raise MalformedEvent(f"not an event of PayPal's: {error!r}") from error

    def _event(self, body: Words) -> ProviderEvent:
        kind, resource = _word(body["event_type"]), body["resource"]
        mark = paypal_marks.read(_custom_id(resource))
        is_ours = mark is not None and mark.app == self.app
        tell = _TELLS.get(kind)
        told: _Told = tell(resource, self) if tell else {}
        payment = told.get("payment")
        return ProviderEvent(
            event_id=_word(body["id"]),
            type=kind,
            occurred_at=paypal_objects.moment(body["create_time"]),
            foreign_because="it is of another application" if mark and not is_ours else None,
            idempotency_key=None,  # PayPal does not say it; the mark is enough
            provider_payment_id=payment.provider_payment_id if payment else None,
            marked_payment_id=mark.payment_id if mark and is_ours else None,
            body=kept_of_event(body),
            **told,
        )


def _custom_id(resource: Words) -> object:
    """Where our mark stands, which differs with what the event is about."""
    if "disputed_transactions" in resource:
        return resource["disputed_transactions"][0].get("custom")
    if "purchase_units" in resource:
        return resource["purchase_units"][0].get("custom_id")
    return resource.get("custom_id")


def _word(value: object) -> str:
    """A name of PayPal's, as `WH-1`; raises ValueError for anything else."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value
    raise ValueError(f"{value!r} is no name")
