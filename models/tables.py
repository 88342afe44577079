"""Every table, imported for Alembic."""

from models import (
    idempotency,
    job,
    journal,
    notification,
    orders,
    payment,
    periodic,
    session,
    stock,
    user,
    webhook_event,
)
from models.base import Base

__all__ = [
    "Base",
    "idempotency",
    "job",
    "journal",
    "notification",
    "orders",
    "payment",
    "periodic",
    "session",
    "stock",
    "user",
    "webhook_event",
]
