"""How the desk says things: money, moments, states, and what the journal means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_currency, format_decimal

from models.dispute import Dispute
from models.money import decimal_string
from models.orders import Order
from models.story import Moment
from web.errors import Problem

_LOCALE = Locale("en")
_MOODS = {
    "person": "bad",
    "dead": "bad",
    "failed": "bad",
    "needs_review": "bad",
    "stock_shortage": "bad",
    "disputed": "bad",
    "lost": "bad",
    "parked": "warn",
    "received": "warn",
    "unknown": "warn",
    "closing": "warn",
    "open": "warn",
    "reserved": "warn",
    "requires_action": "warn",
    "authorised": "warn",
    "waits": "warn",
    "pending": "warn",
    "paid": "good",
    "ready": "good",
    "succeeded": "good",
    "applied": "good",
    "done": "good",
    "sent": "good",
    "available": "good",
    "won": "good",
    "shipped": "cool",
    "delivered": "cool",
    "works": "cool",
    "leased": "cool",
    "waiting": "cool",
    "processing": "cool",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment, and how others lie to it."""

    now: datetime

    def ago(self, at: datetime | None) -> str:
        """As in "3 minutes ago" or "in 2 hours"."""
        if at is None:
            return "—"
        passed = at - self.now
        if abs(passed) < timedelta(seconds=1):
            return "now"
        return format_timedelta(passed, add_direction=True, locale=_LOCALE, threshold=1.5)

    def seconds_to(self, at: datetime) -> int:
        return max(0, round((at - self.now).total_seconds()))


def money(minor: int, currency: str) -> str:
    """1999 EUR → "€19.99"."""
    return format_currency(decimal_string(minor, currency), currency, locale=_LOCALE)


def number(value: float) -> str:
    return format_decimal(value, locale=_LOCALE)


def moment(at: datetime | None) -> str:
    """As in "22 Nov 2026, 14:05"; UTC, like everything on the desk."""
    return "—" if at is None else format_datetime(at, "d MMM y, HH:mm", locale=_LOCALE)


def second(at: datetime) -> str:
    return format_datetime(at, "d MMM, HH:mm:ss", locale=_LOCALE)


def span(seconds: float) -> str:
    """As in "4 seconds" or "2 hours"."""
    if seconds < 1:
        return "under a second" if seconds else "—"
    return format_timedelta(timedelta(seconds=seconds), locale=_LOCALE, threshold=1.5)


def slot(begins: datetime, step: str) -> str:
    """An hour or a day, on an axis."""
    return format_datetime(begins, "HH:mm" if step == "hour" else "d MMM", locale=_LOCALE)


def short(value: float) -> str:
    """12500 → "12.5K"."""
    return format_compact_decimal(value, locale=_LOCALE, fraction_digits=1 if value else 0)


def short_span(seconds: float) -> str:
    """As in "30 s" or "5 m" or "2 h", on an axis."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def country(code: str) -> str:
    """IE → "Ireland"."""
    return str(_LOCALE.territories.get(code, code))


def plain(word: str) -> str:
    """`partially_refunded` → "partially refunded"."""
    return word.replace("_", " ")


def mood(word: str) -> str:
    """The colour of a state."""
    return _MOODS.get(word, "calm")


def flags(order: Order) -> list[str]:
    """What is the matter with the order, besides its status."""
    raised = [
        name for name in ("needs_review", "stock_shortage", "disputed") if getattr(order, name)
    ]
    return [*raised, "closing"] if order.closing else raised


def refusal(problem: Problem) -> str:
    """Why it was not done, and what to do about it."""
    said = f"{problem.detail.rstrip('.')}. {problem.hint}"
    facts = ", ".join(_fact(name, value) for name, value in problem.extensions.items())
    return f"{said} ({facts})" if facts else said


def _fact(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{each} {number}" for each, number in value.items())
    return f"{plain(name)} {value}"


def urgency(clock: Clock, dispute: Dispute) -> str:
    """The mood of a dispute by how soon it must be answered."""
    is_near = dispute.due_by is not None and dispute.due_by - clock.now < timedelta(days=3)
    return "bad" if is_near else "warn"


JOBS: Mapping[str, str] = {
    "payments.create_intent": "open the payment at the provider",
    "payments.refresh": "look at the payment at the provider",
    "payments.close": "close the payment at the provider",
    "payments.capture": "take the reserved money",
    "payments.reserve": "have the money reserved",
    "refunds.create": "make the refund at the provider",
    "refunds.refresh": "look at the refunds at the provider",
    "refunds.record": "take over a refund made by hand",
    "disputes.refresh": "look at the dispute at the provider",
    "webhooks.apply": "apply the event",
    "notifications.send": "send the mail",
}
"""What kinds of jobs do, where their names do not say it."""

_SAID: Mapping[str, str] = {
    "order.placed": "Order placed",
    "orders.state": "Order {was} → {becomes}",
    "orders.fulfilment": "Goods {becomes}",
    "order.closing": "Closing begins; it is to end {becomes}",
    "order.extended": "Hold extended",
    "order.needs_review": "Put before a person",
    "order.reviewed": "Review released",
    "order.stock_shortage": "Goods were gone",
    "order.shortage_cleared": "Shortage cleared",
    "order.note": "Note",
    "shipment.corrected": "Tracking corrected",
    "payment.created": "Payment {subject_id} started",
    "payment.state": "Payment {subject_id} {was} → {becomes}",
    "payment.refund_reported": "A refund made by hand was reported",
    "payment.capture_requested": "Capture of payment {subject_id} asked for",
    "refund.requested": "Refund {subject_id} asked for",
    "refund.imported": "Refund {subject_id} found at the provider",
    "refund.state": "Refund {subject_id} {was} → {becomes}",
    "dispute.opened": "Dispute {subject_id} opened",
    "dispute.state": "Dispute {subject_id} {was} → {becomes}",
    "notification.state": "Mail {subject_id} {was} → {becomes}",
    "notification.resent": "Mail {subject_id} is sent again",
    "webhook_event.state": "Event {subject_id} {was} → {becomes}",
    "job.state": "Job {subject_id} {was} → {becomes}",
}
_LANES = {
    "orders": "order",
    "payment": "payment",
    "refund": "refund",
    "dispute": "dispute",
    "notification": "mail",
    "webhook_event": "webhook",
    "job": "job",
}
_PROVIDERS_WORK = ("payments.", "refunds.", "disputes.")


def lane(told: Moment) -> str:
    """What the moment is of: the mark at its side."""
    if told.who.startswith("staff:"):
        return "staff"
    if told.source == "tried" and told.what.startswith(_PROVIDERS_WORK):
        return "provider"
    by_source = {"staged": "job", "tried": "job", "event": "webhook", "declined": "payment"}
    return by_source.get(told.source) or _LANES.get(told.subject, "stock")


def sentence(told: Moment) -> str:
    """What happened, in words."""
    work = JOBS.get(told.what, told.what)
    match told.source:
        case "staged":
            return f"Job {told.subject_id} staged: {work}"
        case "tried":
            return f"Job {told.subject_id}, {work}: {told.becomes}"
        case "event":
            return f"Event {told.what} arrived"
        case "declined":
            return f"Card declined: {plain(told.what)}"
        case "stock":
            return f"Stock {plain(told.what)}: {told.why}"
        case _:
            said = _SAID.get(told.what, plain(told.what))
            states = {"was": plain(told.was or "new"), "becomes": plain(told.becomes or "")}
            return said.format(subject_id=told.subject_id, **states)


def cause(told: Moment) -> str | None:
    """Why it happened, where that is not in the sentence."""
    return None if told.source == "stock" else told.why


def who(name: str, staff: Mapping[int, str]) -> str:
    """By whom; staff by their address, and with the key that they used."""
    role, _, rest = name.partition(":")
    number, _, key = rest.partition(" ")
    if role != "staff" or not number.isdecimal():
        return name
    known = staff.get(int(number), name)
    return f"{known} by key {key}" if key else known
