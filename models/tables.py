"""Every table, imported for Alembic."""

from models import (
    dispute,
    fulfilment,
    idempotency,
    job,
    journal,
    looking,
    notification,
    orders,
    payment,
    periodic,
    refund,
    retention,
    session,
    stock,
    user,
    webhook_event,
)
from models.audit import finding, walk
from models.base import Base

__all__ = [
    "Base",
    "dispute",
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
    "refund",
    "retention",
    "session",
    "stock",
    "user",
    "walk",
    "webhook_event",
]
