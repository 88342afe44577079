"""Why an order is where it is: the state in a sentence, what follows by itself, what people can do.

A pure function of the rows. The first rule that fits speaks, so what keeps all else from
happening stands first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from models import payment, refund
from models.dispute import Dispute
from models.job import Job
from models.orders import Order
from models.payment import Payment
from models.refund import Refund
from models.standing_words import OF_PAYMENT, OF_REFUND, OF_STATUS, Mood


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an order at the moment `now`."""

    order: Order
    now: datetime
    payments: Sequence[Payment] = ()
    refunds: Sequence[Refund] = ()
    disputes: Sequence[Dispute] = ()
    jobs: Sequence[Job] = ()
    """Those that have not ended well: ready, leased or dead."""
    review: str | None = None
    """Why a person was last asked for."""

    @property
    def live(self) -> Payment | None:
        """The payment that may still bring money."""
        return next((each for each in self.payments if each.is_live), None)

    @property
    def dead(self) -> Job | None:
        return next((each for each in self.jobs if each.state == "dead"), None)

    @property
    def refund_under_way(self) -> Refund | None:
        return next((each for each in self.refunds if each.state in refund.LIVE), None)

    @property
    def open_dispute(self) -> Dispute | None:
        return next((each for each in self.disputes if each.state == "open"), None)

    @property
    def is_overdue(self) -> bool:
        return self.order.expires_at <= self.now

    def next_job(self, *prefixes: str) -> Job | None:
        """Of the waiting jobs of these kinds, the one that is due first."""
        waiting = [
            each
            for each in self.jobs
            if each.state in ("ready", "leased") and each.kind.startswith(prefixes)
        ]
        return min(waiting, key=lambda each: each.run_at, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    mood: Mood
    state: str
    """Where it stands, in one sentence."""
    next: str
    """What happens by itself."""
    at: datetime | None = None
    """When that is, if it is known."""
    can: Sequence[str] = ()
    """What a person can do."""


class _Rule(NamedTuple):
    name: str
    fits: Callable[[Facts], object]
    says: Callable[[Facts], Standing]


def explain(facts: Facts) -> Standing:
    """Why the order is where it is."""
    return next(rule.says(facts) for rule in RULES if rule.fits(facts))


def _dead(facts: Facts) -> Standing:
    job = facts.dead
    error = (job.last_error if job else None) or "it left no word"
    return Standing(
        mood="person",
        state=f"A job has given up: {job.kind if job else ''}, {error}",
        next="Nothing: a dead job is tried again only when somebody says so.",
        can=["Mend the cause and retry the job, or cancel it, under its number below."],
    )


def _review(facts: Facts) -> Standing:
    return Standing(
        mood="person",
        state=f"It waits for a person: {facts.review or 'something does not add up'}.",
        next="Nothing is shipped meanwhile; the provider is still listened to.",
        at=_next_look(facts),
        can=[
            "Compare the payments below with the provider's own page.",
            "Release the review if all is well, or refund.",
        ],
    )


def _shortage(_facts: Facts) -> Standing:
    return Standing(
        mood="person",
        state="It is paid, but its goods were gone by then.",
        next="Nothing: the money is here, the goods are not.",
        can=["Clear the shortage once the goods are in stock again.", "Or refund it."],
    )


def _dispute(facts: Facts) -> Standing:
    dispute = facts.open_dispute
    return Standing(
        mood="person",
        state=f"The customer's bank disputes the charge: {dispute.reason if dispute else ''}.",
        next="The bank decides; without an answer by then it is lost.",
        at=dispute.due_by if dispute else None,
        can=["Answer the dispute on the provider's page.", "Do not ship before it has ended."],
    )


def _lost_dispute(_facts: Facts) -> Standing:
    return Standing(
        mood="over",
        state="A dispute was lost: the bank has given the money back.",
        next="Nothing.",
        can=["Ask the customer for the goods, if they have left."],
    )


def _closing(facts: Facts) -> Standing:
    job = facts.next_job("payments.close")
    return Standing(
        mood="works",
        state=f"It is being closed, to end {facts.order.closing}: the provider is asked first.",
        next="The provider closes the payment and the goods are free again; or, if the money was"
        " faster, the order ends paid. After a day of asking a person must look.",
        at=job.run_at if job else None,
        can=["Wait; nothing can be paid twice meanwhile."],
    )


def _paying(facts: Facts) -> Standing:
    live = facts.live
    if live is None:
        raise ValueError("no payment is live")
    mood, state, following = OF_PAYMENT[live.state]
    can: list[str] = ["Cancel it, or extend its hold."]
    at = _next_look(facts)
    if live.state == "open":
        at = facts.order.expires_at
    if live.state == "authorised":
        at, can = live.capture_before, ["Capture the money, or cancel the order."]
    return Standing(mood=mood, state=state, next=following, at=at, can=can)


def _overdue(facts: Facts) -> Standing:
    return Standing(
        mood="works",
        state="Its time to pay is over.",
        next="The next sweep closes it, within seconds; a running payment gets more time once.",
        at=facts.order.expires_at,
        can=["Extend its hold, if the customer is at it."],
    )


def _unpaid(facts: Facts) -> Standing:
    return Standing(
        mood="waits",
        state="Its goods are held; the customer has not begun to pay.",
        next="It expires and its goods are free again.",
        at=facts.order.expires_at,
        can=["Cancel it, or extend its hold."],
    )


def _refunding(facts: Facts) -> Standing:
    row = facts.refund_under_way
    job = facts.next_job("refunds.")
    return Standing(
        mood="works",
        state=f"A refund {OF_REFUND[row.state] if row else ''}.",
        next="The provider's word is booked when it comes; if none does, it is asked.",
        at=job.run_at if job else row.look_at if row else None,
        can=["Wait: asking again would be the same refund."],
    )


def _rests(facts: Facts) -> Standing:
    mood, state, following, can = OF_STATUS[facts.order.status]
    return Standing(mood=mood, state=state, next=following, can=can)


def _next_look(facts: Facts) -> datetime | None:
    """When the provider is asked next, by a job or by the janitor."""
    job, live = facts.next_job("payments."), facts.live
    times = (job.run_at if job else None, live.look_at if live else None)
    return min((each for each in times if each is not None), default=None)


def _is_paying(facts: Facts) -> bool:
    """Whether a payment is at work, or open and in time."""
    live = facts.live
    return live is not None and (live.state in payment.RUNNING or not facts.is_overdue)


def _is_pending(facts: Facts) -> bool:
    return facts.order.state == "pending"


RULES: tuple[_Rule, ...] = (
    _Rule("dead job", lambda facts: facts.dead, _dead),
    _Rule("review", lambda facts: facts.order.needs_review, _review),
    _Rule("shortage", lambda facts: facts.order.stock_shortage, _shortage),
    _Rule("dispute", lambda facts: facts.open_dispute, _dispute),
    _Rule("lost dispute", lambda facts: facts.order.disputed, _lost_dispute),
    _Rule("closing", lambda facts: facts.order.closing, _closing),
    _Rule("refund under way", lambda facts: facts.refund_under_way, _refunding),
    _Rule("paying", lambda facts: _is_pending(facts) and _is_paying(facts), _paying),
    _Rule("overdue", lambda facts: _is_pending(facts) and facts.is_overdue, _overdue),
    _Rule("unpaid", _is_pending, _unpaid),
    _Rule("rests", lambda _facts: True, _rests),
)
