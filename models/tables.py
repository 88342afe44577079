"""Every table, and the function, imported for Alembic."""

from models import (
    api_key,
    dispute,
    figures,
    fulfilment,
    idempotency,
    job,
    journal,
    looking,
    notification,
    orders,
    payment,
    periodic,
    quick_placing,
    refund,
    retention,
    session,
    stock,
    user,
    webhook_event,
)
from models.audit import finding, walk
from models.base import Base
from models.reconciliation import refunds, span

__all__ = [
    "Base",
    "api_key",
    "dispute",
    "figures",
    "finding",
    "fulfilment",
    "idempotency",
    "job",
    "journal",
    "looking",
    "notification",
    "orders",
    "payment",
    "periodic",
    "quick_placing",
    "refund",
    "refunds",
    "retention",
    "session",
    "span",
    "stock",
    "user",
    "walk",
    "webhook_event",
]
