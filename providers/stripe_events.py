"""Stripe's events in our words: one table says what each type tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from models.intents import DisputeSnapshot, Failure, PaymentSnapshot, RefundSnapshot, Subject
from providers import stripe_objects
from providers.base import MalformedEvent, ProviderEvent
from providers.stripe_kept import kept_of_event
from providers.stripe_objects import Words

_THIN = "v2.core.event"  # ids alone, in the form of Stripe's API v2
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


def _refund(refund: Words, mark: str) -> _Told:
    return {"refund": stripe_objects.refund(refund, mark)}


def _dispute(dispute: Words, _: str) -> _Told:
    return {"dispute": stripe_objects.dispute(dispute)}


# What an event tells besides the payment that it is about; of other types, nothing is known.
_TELLS: Mapping[str, Callable[[Words, str], _Told]] = {
    "payment_intent.*": lambda intent, _: {"payment": stripe_objects.payment(intent)},
    "charge.succeeded": lambda _charge, _: {},
    "charge.updated": lambda _charge, _: {},
    "charge.failed": lambda charge, _: {"attempt": stripe_objects.failed_attempt(charge)},
    "charge.captured": lambda _charge, _: {"looks": frozenset({"payment"})},
    "charge.expired": lambda _charge, _: {"looks": frozenset({"payment"})},
    "charge.refunded": lambda _charge, _: {"looks": frozenset({"refunds"})},
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
    "radar.early_fraud_warning.created": lambda warning, _: {
        "warning": f"the buyer's bank warns of fraud: {warning['fraud_type']}"
    },
    "review.opened": lambda review, _: {
        "warning": f"Stripe wants the payment reviewed: {review['reason']}"
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReader:
    """Reads the events of one account in one mode; `mark` is what our objects bear as `app`."""

    mark: str
    is_live: bool
    account: str

    def read(self, body: Words) -> ProviderEvent:
        """A verified event; raises `MalformedEvent` for what is no event of Stripe's."""
        try:
            return self._thin(body) if body.get("object") == _THIN else self._snapshot(body)
        except _UNREADABLE as error:
            raise MalformedEvent(f"not an event of Stripe's: {error!r}") from error

    def _snapshot(self, body: Words) -> ProviderEvent:
        kind, subject = _word(body["type"]), body["data"]["object"]
        tell = _TELLS.get(kind) or _TELLS.get(f"{kind.partition('.')[0]}.*")
        return ProviderEvent(
            event_id=_word(body["id"]),
            type=kind,
            occurred_at=stripe_objects.moment(body["created"]),
            foreign_because=self._foreign(body, body.get("account"), subject),
            idempotency_key=(body.get("request") or {}).get("idempotency_key"),
            provider_payment_id=_payment_id(subject) if tell else None,
            marked_payment_id=stripe_objects.marked(subject, self.mark, "payment_id"),
            body=kept_of_event(body),
            **(tell(subject, self.mark) if tell else {}),
        )

    def _thin(self, body: Words) -> ProviderEvent:
        cause = (body.get("reason") or {}).get("request") or {}
        related = body.get("related_object") or {}
        is_payment = related.get("type") == "payment_intent"
        return ProviderEvent(
            event_id=_word(body["id"]),
            type=_word(body["type"]),
            occurred_at=datetime.fromisoformat(body["created"]),
            foreign_because=self._foreign(body, body.get("context"), {}),
            idempotency_key=cause.get("idempotency_key"),
            provider_payment_id=related["id"] if is_payment else None,
            marked_payment_id=None,
            looks=frozenset({"payment", "refunds"}) if is_payment else frozenset(),
            body=kept_of_event(body),
        )

    def _foreign(self, body: Words, account: str | None, subject: Words) -> str | None:
        if body["livemode"] != self.is_live:
            return "it is of the other mode"
        if account and account != self.account:
            return "it is of another account"
        if (subject.get("metadata") or {}).get("app", self.mark) != self.mark:
            return "it is of another application"
        return None


def _payment_id(subject: Words) -> str | None:
    if subject["object"] == "payment_intent":
        return str(subject["id"])
    return stripe_objects.link(subject.get("payment_intent"))


def _word(value: object) -> str:
    """A name of Stripe's, as `evt_1`; raises ValueError for anything else."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value
    raise ValueError(f"{value!r} is no name")
