"""What happened to an order, from all the tables that know: one line of moments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job, JobAttempt
from models.journal import JournalEntry
from models.payment import Payment, PaymentAttempt
from models.stock import StockItem, StockMovement
from models.webhook_event import WebhookEvent

MOST = 400
"""Of each kind of moment, the newest so many are told."""

Source = Literal["journal", "staged", "tried", "event", "declined", "stock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened: what, to which row, because of what or whom."""

    at: datetime
    source: Source
    subject: str
    subject_id: int
    what: str
    who: str
    why: str | None = None
    was: str | None = None
    becomes: str | None = None


def of_order(session: Session, order_id: int) -> list[Moment]:
    """The order's moments, newest first."""
    told = [
        *_journal(session, order_id),
        *_jobs(session, order_id),
        *_events(session, order_id),
        *_declined(session, order_id),
        *_movements(session, order_id),
    ]
    told.sort(key=lambda moment: moment.at, reverse=True)
    return told


def _journal(session: Session, order_id: int) -> Iterator[Moment]:
    newest = select(JournalEntry).where(JournalEntry.order_id == order_id)
    for entry in session.scalars(newest.order_by(JournalEntry.id.desc()).limit(MOST)):
        yield Moment(
            at=entry.at,
            source="journal",
            subject=entry.subject,
            subject_id=entry.subject_id,
            what=entry.what,
            who=entry.who,
            why=entry.why,
            was=entry.from_state,
            becomes=entry.to_state,
        )


def _jobs(session: Session, order_id: int) -> Iterator[Moment]:
    newest = select(Job).where(Job.order_id == order_id).order_by(Job.id.desc()).limit(MOST)
    kinds = {job.id: job for job in session.scalars(newest)}
    for job in kinds.values():
        yield Moment(
            at=job.created_at,
            source="staged",
            subject="job",
            subject_id=job.id,
            what=job.kind,
            who="system",
            becomes=job.state,
        )
    tries = select(JobAttempt).where(JobAttempt.job_id.in_(kinds)).order_by(JobAttempt.id.desc())
    for attempt in session.scalars(tries.limit(MOST)):
        yield Moment(
            at=attempt.ended_at,
            source="tried",
            subject="job",
            subject_id=attempt.job_id,
            what=kinds[attempt.job_id].kind,
            who="worker",
            why=attempt.error,
            becomes=attempt.outcome,
        )


def _events(session: Session, order_id: int) -> Iterator[Moment]:
    newest = select(WebhookEvent).where(WebhookEvent.order_id == order_id)
    for event in session.scalars(newest.order_by(WebhookEvent.id.desc()).limit(MOST)):
        yield Moment(
            at=event.received_at,
            source="event",
            subject="webhook_event",
            subject_id=event.id,
            what=event.type,
            who=event.provider,
            why=event.event_id,
            becomes=event.state,
        )


def _declined(session: Session, order_id: int) -> Iterator[Moment]:
    tries = (
        select(PaymentAttempt, Payment.provider)
        .join(Payment, Payment.id == PaymentAttempt.payment_id)
        .where(Payment.order_id == order_id)
        .order_by(PaymentAttempt.id.desc())
        .limit(MOST)
    )
    for attempt, provider in session.execute(tries):
        yield Moment(
            at=attempt.at,
            source="declined",
            subject="payment",
            subject_id=attempt.payment_id,
            what=attempt.code,
            who=provider,
            why=attempt.message,
        )


def _movements(session: Session, order_id: int) -> Iterator[Moment]:
    for movement, sku in session.execute(
        select(StockMovement, StockItem.sku)
        .join(StockItem, StockItem.id == StockMovement.item_id)
        .where(StockMovement.order_id == order_id)
        .order_by(StockMovement.id.desc())
        .limit(MOST)
    ):
        yield Moment(
            at=movement.at,
            source="stock",
            subject="stock_item",
            subject_id=movement.item_id,
            what=movement.reason,
            who=movement.who,
            why=f"{movement.stock_delta or movement.held_delta:+d} {sku}",
        )


def staff_among(moments: Sequence[Moment | StockMovement]) -> set[int]:
    """The ids of the staff who did something."""
    return {
        int(number)
        for moment in moments
        if (number := moment.who.removeprefix("staff:").partition(" ")[0]).isdecimal()
        and moment.who.startswith("staff:")
    }
