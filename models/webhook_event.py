"""The inbox of provider events: stored whole and once, before anything is made of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import job, journal
from models.base import Base, BigId, Json
from models.session import now

STATES: journal.StateTable = {
    "received": frozenset({"applied", "ignored", "parked"}),
    "parked": frozenset({"applied", "ignored"}),
    "applied": frozenset(),
    "ignored": frozenset(),
}


class WebhookEvent(Base):
    """Known to the older app as `ProcessedEvent`: unique by provider and event id."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        CheckConstraint("state IN ('received', 'applied', 'ignored', 'parked')", name="state"),
        Index("ix_webhook_event_parked", "id", postgresql_where=text("state = 'parked'")),
        Index(None, "order_id", postgresql_where=text("order_id IS NOT NULL")),
    )

    id: Mapped[BigId]
    provider: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    body: Mapped[Json]
    state: Mapped[str] = mapped_column(default="received")
    reason: Mapped[str | None]
    order_id: Mapped[int | None]
    """The order it turned out to be about, for the order's timeline."""
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(default=now())
    ended_at: Mapped[datetime | None]


def store(
    session: Session,
    *,
    provider: str,
    event_id: str,
    type_: str,
    body: Json,
    occurred_at: datetime,
    ignored_because: str | None = None,
) -> bool:
    """Keep a verified event and stage its application; False if it is known already."""
    row_id = session.scalar(
        insert(WebhookEvent)
        .values(
            provider=provider,
            event_id=event_id,
            type=type_,
            body=body,
            occurred_at=occurred_at,
            state="ignored" if ignored_because else "received",
            reason=ignored_because,
        )
        .on_conflict_do_nothing()
        .returning(WebhookEvent.id)
    )
    if row_id is not None and not ignored_because:
        job.stage(session, "webhooks.apply", key=f"hook:{provider}:{event_id}", event_row_id=row_id)
    return row_id is not None


def find(
    session: Session, *, limit: int, after: int | None = None, state: str | None = None
) -> Sequence[WebhookEvent]:
    """The events that fit, newest first; `after` is the id of the last one seen before."""
    query = select(WebhookEvent).order_by(WebhookEvent.id.desc()).limit(limit)
    if state is not None:
        query = query.where(WebhookEvent.state == state)
    if after is not None:
        query = query.where(WebhookEvent.id < after)
    return session.scalars(query).all()


def unapplied(session: Session, event_row_id: int) -> WebhookEvent | None:
    """The event, if nothing has been made of it yet."""
    event = session.get_one(WebhookEvent, event_row_id)
    return event if event.state in ("received", "parked") else None


def end(
    session: Session, event_row_id: int, state: str, *, reason: str, order_id: int | None = None
) -> None:
    """Say what became of it: `applied`, `ignored`, or `parked` until its payment is found."""
    event = session.get_one(
        WebhookEvent, event_row_id, with_for_update={"key_share": True}, populate_existing=True
    )
    journal.move(
        session,
        event,
        STATES,
        state,
        who=event.provider,
        why=reason,
        is_locked=True,
        reason=reason,
        order_id=order_id,
        ended_at=now() if state != "parked" else None,
    )
