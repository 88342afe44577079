"""What a provider lists, compared with our payments: both ways, and without asking it here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.audit.check import Found, Promise
from models.audit.finding import Finding, file
from models.intents import ListedPayment
from models.payment import FINAL, Payment
from models.session import now

_LOOK_BACK = timedelta(hours=48)
# A payment is listed a moment after it was opened; the provider's clock may be another.
_SLACK = timedelta(minutes=5)

IS_OURS = Promise(
    name="provider.payment_is_ours",
    invariant=3,
    subject="payment",
    repair="Cancel or refund it at the provider: no payment of ours stands behind it.",
)
IS_OPENED_ONCE = Promise(
    name="provider.payment_is_opened_once",
    invariant=3,
    subject="payment",
    repair="Cancel or refund the second one at the provider.",
)
AMOUNT_AGREES = Promise(
    name="provider.amount_agrees",
    invariant=3,
    subject="payment",
    repair="Mark the order for review; refund what was taken too much.",
)
STATE_AGREES = Promise(
    name="provider.state_agrees",
    invariant=6,
    subject="payment",
    repair="Have the provider deliver its events again, or stage payments.refresh.",
)
IS_LISTED = Promise(
    name="provider.lists_the_payment",
    invariant=6,
    subject="payment",
    repair="See whether the shop's key at the provider was changed.",
)
PROMISES = (IS_OURS, IS_OPENED_ONCE, AMOUNT_AGREES, STATE_AGREES, IS_LISTED)


class Broken(NamedTuple):
    """A promise, and the payment that breaks it."""

    promise: Promise
    found: Found


def span(session: Session) -> tuple[datetime, datetime]:
    """From when on payments are compared, and the present."""
    present = session.execute(select(now())).scalar_one()
    return present - _LOOK_BACK, present


def still_telling(
    session: Session, listed: Collection[ListedPayment], *, read_after: datetime
) -> list[ListedPayment]:
    """Without those of which a list of that time cannot tell: their payments ended since."""
    ids = [theirs.payment_id for theirs in listed]
    ended = session.scalars(
        select(Payment.id).where(Payment.id.in_(ids), Payment.ended_at >= read_after)
    ).all()
    return [theirs for theirs in listed if theirs.payment_id not in ended]


def compare(session: Session, provider: str, listed: Collection[ListedPayment]) -> list[Broken]:
    """What the provider lists and we have otherwise, or not at all."""
    ids = [theirs.payment_id for theirs in listed]
    ours = session.scalars(
        select(Payment)
        .where(Payment.id.in_(ids), Payment.provider == provider)
        .execution_options(populate_existing=True)
    )
    known = {payment.id: payment for payment in ours}
    return [broken for theirs in listed for broken in _compare(known, theirs)]


def _compare(known: Mapping[int, Payment], theirs: ListedPayment) -> Iterator[Broken]:
    ours = known.get(theirs.payment_id)
    if ours is None:
        if theirs.state != "cancelled":  # which can take no money
            said = f"{theirs.provider_payment_id} is {theirs.state} and not known here"
            yield Broken(IS_OURS, Found(theirs.payment_id, None, said))
    elif ours.provider_payment_id not in (None, theirs.provider_payment_id):
        if theirs.state != "cancelled":
            said = f"{theirs.provider_payment_id} is {theirs.state} as well"
            yield Broken(IS_OPENED_ONCE, Found(ours.id, ours.order_id, said))
    else:
        yield from _disagreements(ours, theirs)


def _disagreements(ours: Payment, theirs: ListedPayment) -> Iterator[Broken]:
    taken = theirs.received_minor if theirs.state == "succeeded" else theirs.amount_minor
    if (taken, theirs.amount_minor, theirs.currency) != (
        ours.amount_minor,
        ours.amount_minor,
        ours.currency,
    ):
        said = f"{taken} of {theirs.amount_minor} {theirs.currency} there"
        yield Broken(AMOUNT_AGREES, Found(ours.id, ours.order_id, said))
    if _end(ours.state) != _end(theirs.state):
        said = f"{theirs.state} there, {ours.state} here"
        yield Broken(STATE_AGREES, Found(ours.id, ours.order_id, said))


def _end(state: str) -> str:
    """How a payment ended; which live state it is in may be told a moment later."""
    if state not in FINAL:
        return "live"
    return "paid" if state == "succeeded" else "unpaid"


def unlisted(
    session: Session, provider: str, listed: Collection[str], *, since: datetime
) -> tuple[list[Broken], list[int]]:
    """Our payments of that time that the provider does not list; and all ids looked at.

    By ix_payment_sent_at.
    """
    rows = session.execute(
        select(Payment.id, Payment.order_id, Payment.provider_payment_id).where(
            Payment.provider == provider,
            Payment.provider_payment_id.is_not(None),
            Payment.sent_at.between(since + _SLACK, now() - _SLACK),
        )
    ).all()
    missing = [
        Broken(IS_LISTED, Found(row.id, row.order_id, f"{row.provider_payment_id} is not there"))
        for row in rows
        if row.provider_payment_id not in listed
    ]
    return missing, [row.id for row in rows]


def file_all(session: Session, broken: Sequence[Broken], judged: Collection[int]) -> None:
    """Keep what is broken among the payments `judged`, and close what no longer is."""
    for promise in PROMISES:
        found = {each.found.subject_id: each.found for each in broken if each.promise == promise}
        kept = [each for each in found.values() if each.subject_id in judged]
        file(session, promise, kept, Finding.subject_id.in_(judged))
