"""What needs a person: everything that stands still until somebody looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.audit.finding import Finding
from models.dispute import Dispute
from models.job import Job
from models.orders import Order
from models.refund import Refund
from models.webhook_event import WebhookEvent

MOST = 50
"""So many of each are shown, and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    shortages: Sequence[Order]
    reviews: Sequence[Order]
    refunds: Sequence[tuple[Refund, Order]]
    """Those that failed and whose orders nobody has released since."""
    disputes: Sequence[tuple[Dispute, Order]]
    events: Sequence[WebhookEvent]
    jobs: Sequence[Job]
    findings: Sequence[Finding]


_FLAGGED = Order.needs_review | Order.stock_shortage  # as its partial index has it
_SHORTAGES = select(Order).where(_FLAGGED, Order.stock_shortage).order_by(Order.id)
_REVIEWS = select(Order).where(_FLAGGED, Order.needs_review).order_by(Order.id)
_REFUNDS = (
    select(Refund, Order)
    .join(Order, Order.id == Refund.order_id)
    .where(_FLAGGED, Order.needs_review, Refund.state.in_(("failed", "cancelled")))
    .order_by(Refund.id)
)
_DISPUTES = (
    select(Dispute, Order)
    .join(Order, Order.id == Dispute.order_id)
    .where(Dispute.state == "open")
    .order_by(Dispute.due_by)
)
_EVENTS = select(WebhookEvent).where(WebhookEvent.state == "parked").order_by(WebhookEvent.id)
_JOBS = select(Job).where(Job.state == "dead").order_by(Job.id)
_FINDINGS = select(Finding).where(Finding.closed_at.is_(None)).order_by(Finding.id)

_ALL: Mapping[str, Any] = {
    "shortages": _SHORTAGES,
    "reviews": _REVIEWS,
    "refunds": _REFUNDS,
    "disputes": _DISPUTES,
    "events": _EVENTS,
    "jobs": _JOBS,
    "findings": _FINDINGS,
}


def needed(session: Session) -> Attention:
    """Everything that needs a person, what waits longest first."""
    return Attention(
        shortages=session.scalars(_SHORTAGES.limit(MOST)).all(),
        reviews=session.scalars(_REVIEWS.limit(MOST)).all(),
        refunds=[(row, order) for row, order in session.execute(_REFUNDS.limit(MOST))],
        disputes=[(row, order) for row, order in session.execute(_DISPUTES.limit(MOST))],
        events=session.scalars(_EVENTS.limit(MOST)).all(),
        jobs=session.scalars(_JOBS.limit(MOST)).all(),
        findings=session.scalars(_FINDINGS.limit(MOST)).all(),
    )


def counted(session: Session) -> int:
    """How much needs a person, in one statement; of each kind no more than `MOST` count."""
    counts = [
        select(func.count()).select_from(wanted.limit(MOST).subquery(name)).scalar_subquery()
        for name, wanted in _ALL.items()
        if name != "refunds"  # their orders are counted among the reviews
    ]
    return int(session.execute(select(sum(counts[1:], counts[0]))).scalar_one())
