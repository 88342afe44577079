"""Every table, imported for Alembic."""

from models import (
    idempotency,
    job,
    journal,
    notification,
    orders,
    payment,
    periodic,
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
    "finding",
    "idempotency",
    "job",
    "journal",
    "notification",
    "orders",
    "payment",
    "periodic",
    "retention",
    "session",
    "stock",
    "user",
    "walk",
    "webhook_event",
]
