"""The inbox of provider events: stored whole and once, before anything is made of them."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb
from sqlalchemy import CheckConstraint, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import job, journal, staging
from models.base import Base, BigId, Json
from models.rows import Rows
from models.session import now
from models.statement import Statement

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
        Index(None, "state", "id"),
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


_APPLY = "webhooks.apply"
_NEWS = "FROM stored WHERE %(state)s = 'received'"
_KEY, _PAYLOAD = "%(key)s", "jsonb_build_object('event_row_id', stored.id)"
# Only the clock and terms of ours are interpolated, never a value (S608).
_STORE = Statement(f"""
WITH stored AS (
    INSERT INTO webhook_event (provider, event_id, type, body, state, reason, occurred_at,
                               received_at)
    VALUES (%(provider)s, %(event_id)s, %(type)s, %(body)s, %(state)s, %(reason)s, %(occurred_at)s,
            {now()})
    ON CONFLICT DO NOTHING
    RETURNING id
), {staging.staging(_NEWS, _KEY, _PAYLOAD)}
SELECT {staging.STAGED} FROM stored
""")  # noqa: S608
_FIND = Rows(WebhookEvent, "WHERE id = %(event_row_id)s")
_LOCK = Rows(WebhookEvent, "WHERE id = %(event_row_id)s FOR NO KEY UPDATE")


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
    """Keep a verified event and stage its application; False if it is known already.

    It is one statement, so a session `at_once` will do.
    """
    stored = _STORE.row(
        session,
        {
            "provider": provider,
            "event_id": event_id,
            "type": type_,
            "body": Jsonb(body),
            "occurred_at": occurred_at,
            "state": "ignored" if ignored_because else "received",
            "reason": ignored_because,
            "key": f"hook:{provider}:{event_id}",
            **staging.needed(_APPLY, ["event_row_id"]),
        },
    )
    if stored is not None and stored[0] is not None:
        job.was_staged(session, _APPLY, stored[0])
    return stored is not None


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
    event = _FIND.one(session, event_row_id=event_row_id)
    return event if event.state in ("received", "parked") else None


def end(
    session: Session, event_row_id: int, state: str, *, reason: str, order_id: int | None = None
) -> None:
    """Say what became of it: `applied`, `ignored`, or `parked` until its payment is found."""
    event = _LOCK.one(session, event_row_id=event_row_id)
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
