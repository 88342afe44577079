"""Celery as a bell-boy: it carries job ids to workers and keeps nothing.

A message may be lost, doubled or late without harm, since the job is a row in PostgreSQL
(docs/adr/0001). The settings keep a broker's trouble from becoming a worker's.
"""

from datetime import timedelta

from kombu.entity import Queue

from models.kinds import QUEUES
from settings import current

_settings = current()

broker_url = _settings.celery_broker_url
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker waits for its broker for ever
broker_connection_timeout = 1
broker_transport_options = {
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "ack_emulation": False,  # a message that is lost is rung again: nobody need keep account of it
    "global_keyprefix": _settings.redis_prefix,
    "client_name": "orders-worker",
}

# No pickle, no results, no late acks: what is done is said in SQL and nowhere else.
task_serializer = "json"
accept_content = ["json"]
result_backend = None
task_ignore_result = True
task_acks_late = False
task_reject_on_worker_lost = False
# Nothing is ever unacked, so a broker restart cannot kill a worker (Celery 5.7.0 does otherwise).
worker_prefetch_multiplier = 1
worker_disable_prefetch = True

# The default exchange survives a wiped broker; a named one would swallow messages.
task_queues = [Queue(name, exchange="", routing_key=name) for name in sorted(set(QUEUES.values()))]
task_default_exchange = ""
task_create_missing_queues = False
task_default_queue = "sweeps"
task_routes = {f"{prefix}.*": {"queue": queue} for prefix, queue in QUEUES.items()}

# Prefork only; thread workers are bounded in their calls.
task_soft_time_limit = 25
task_time_limit = 40
worker_max_tasks_per_child = 1000
worker_soft_shutdown_timeout = 20.0

worker_hijack_root_logger = False
worker_send_task_events = False
worker_enable_remote_control = False

# Read by `tasks.relay.LedgerScheduler`, which keeps the slots in PostgreSQL.
beat_schedule = {
    "sweep": {
        "task": "reservations.sweep",
        "schedule": timedelta(seconds=_settings.sweep_period_seconds),
    },
    "janitor": {
        "task": "janitor.sweep",
        "schedule": timedelta(seconds=max(1, _settings.janitor_seconds // 2)),
    },
    "audit": {
        "task": "audit.run",
        "schedule": timedelta(seconds=_settings.audit_period_seconds),
    },
    **{
        f"reconcile-{compared}": {
            "task": f"reconcile.{compared}",
            "schedule": timedelta(seconds=_settings.reconcile_period_seconds),
        }
        for compared in ("payments", "refunds", "disputes")
    },
    "prune": {
        "task": "maintenance.prune",
        "schedule": timedelta(hours=1),
    },
    "count-days": {
        "task": "maintenance.count_days",
        "schedule": timedelta(hours=1),
    },
}
