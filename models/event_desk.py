"""Stored events as people use them: what waits is applied now, what is over is asked about anew."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models import job_desk, journal, looking, payment
from models.job import Job
from models.session import Rung, now, ring_after_commit
from models.webhook_event import WebhookEvent


class NotReplayableError(Exception):
    """Nothing could come of it: the event is about no order of ours."""


def replay(session: Session, event_id: int, *, who: str, why: str) -> WebhookEvent:
    """Have a waiting event applied now; of one that is over, have the provider asked how it is.

    An event is never applied twice: what it told may have been overtaken, what the provider
    shows has not. Raises NoResultFound or `NotReplayableError`.
    """
    event = session.scalars(
        select(WebhookEvent).where(WebhookEvent.id == event_id).with_for_update(key_share=True)
    ).one()
    if event.state in ("received", "parked"):
        _apply_now(session, event, who=who, why=why)
    elif event.order_id is None:
        raise NotReplayableError(event.state)
    else:
        for paid in payment.of_order(session, event.order_id):
            looking.stage(session, paid, "payment")
    journal.write(session, event, "webhook_event.replayed", None, None, who=who, why=why)
    return event


def _apply_now(session: Session, event: WebhookEvent, *, who: str, why: str) -> None:
    key = f"hook:{event.provider}:{event.event_id}"
    row = session.scalars(select(Job).where(Job.dedupe_key == key)).one()
    if row.state in ("dead", "cancelled"):
        job_desk.retry(session, row.id, who=who, why=why)
        return
    hurried = session.scalar(
        update(Job)
        .where(Job.id == row.id, Job.state == "ready")
        .values(run_at=now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if hurried is not None:
        ring_after_commit(session, Rung(row.id, row.kind))
