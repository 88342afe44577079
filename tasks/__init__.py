"""The workers' side: the Celery app, and every kind of job, registered by its import.

`celery -A tasks worker -Q payments,webhooks` and `celery -A tasks beat -S
tasks.relay:LedgerScheduler` start here; the web process imports this to stage and to ring.
"""

from celery import Celery
from flask import Flask

import settings
from models import tables
from models.base import connect
from models.session import ring_with
from tasks import logs
from tasks.doorbell import Doorbell
from tasks.slots import WakeTheLoop

logs.configure(settings.current().log_level, settings.current().log_format)

app = Celery("orders", config_source="celeryconfig")
app.steps["consumer"].add(WakeTheLoop)

doorbell = Doorbell(app)
ring_with(doorbell)

database_app = Flask("tasks")
"""Carries engine and session for workers; each job runs in an app context of its own."""

_settings = settings.current()
connect(
    database_app,
    _settings,
    pool_size=max(4, _settings.worker_threads // 4),
    pool_timeout=10,
)

from tasks import (  # noqa: E402 - they need `app`
    audit,
    disputes,
    janitor,
    maintenance,
    notifications,
    payments,
    reconciliation,
    refunds,
    reservations,
    webhooks,
    worker,
)

__all__ = [
    "app",
    "audit",
    "database_app",
    "disputes",
    "janitor",
    "maintenance",
    "notifications",
    "payments",
    "reconciliation",
    "refunds",
    "reservations",
    "tables",
    "webhooks",
    "worker",
]
