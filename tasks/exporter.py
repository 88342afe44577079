"""`python -m tasks.exporter`: every figure at one internal address, for Prometheus.

It adds up what all processes of this host keep in `METRICS_DIRECTORY`, and reads from
PostgreSQL, at each scrape, what no process could count: how much waits, and for whom.
"""

import logging
import signal
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import settings
import tasks
from models import job_desk
from models.audit import finding
from models.orders import Order
from models.session import transaction
from models.webhook_event import WebhookEvent

logger = logging.getLogger(__name__)

_QUEUE_FIGURES = {
    "ready": "Jobs that wait, due or not.",
    "due": "Jobs that could be done now.",
    "oldest_due_seconds": "How long the oldest due job has been due.",
    "leased": "Jobs that a worker holds.",
    "dead": "Jobs that only a person can help.",
}


class LedgerCollector(Collector):
    """What the database says now; without it, only that it is away."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with tasks.database_app.app_context(), transaction() as session:
                families = [*_queues(session), *_for_people(session), _findings(session)]
        except Exception:
            logger.exception("the database does not answer")
            families = []
        yield GaugeMetricFamily(
            "orders_database_up",
            "Whether the figures from the database are there.",
            value=bool(families),
        )
        yield from families


def _queues(session: Session) -> Iterator[GaugeMetricFamily]:
    queues = job_desk.stats(session)
    for name, words in _QUEUE_FIGURES.items():
        family = GaugeMetricFamily(f"orders_queue_{name}", words, labels=["queue"])
        for queue in queues:
            family.add_metric([queue.queue], getattr(queue, name))
        yield family


def _for_people(session: Session) -> Iterator[GaugeMetricFamily]:
    questions = {
        "orders_webhook_events_parked": (
            "Events of providers whose payment is not known here.",
            WebhookEvent.state == "parked",
        ),
        "orders_needing_review": ("Orders that ask for a person.", Order.needs_review),
        "orders_stock_shortages": ("Paid orders without all of their goods.", Order.stock_shortage),
    }
    for name, (words, condition) in questions.items():
        count = session.scalar(select(func.count()).where(condition))
        yield GaugeMetricFamily(name, words, value=count)


def _findings(session: Session) -> GaugeMetricFamily:
    words = "What the auditor found and nobody has mended."
    family = GaugeMetricFamily("orders_audit_findings", words, labels=["promise"])
    for promise, number in finding.figures(session).items():
        family.add_metric([promise], number)
    return family


def registry() -> CollectorRegistry:
    """What one scrape gathers."""
    gathered = CollectorRegistry()
    gathered.register(LedgerCollector())
    if directory := settings.current().metrics_directory:
        MultiProcessCollector(gathered, directory)  # type: ignore[no-untyped-call]
    return gathered


def serve(host: str, port: int) -> None:
    """Answer scrapes until the process is ended; on port 0 nothing is answered."""
    if not port:
        logger.info("METRICS_PORT is 0: there is nothing to do here")
        signal.pause()
    _server, thread = start_http_server(port, host, registry())
    thread.join()


if __name__ == "__main__":
    chosen = settings.current()
    serve(chosen.metrics_host, chosen.metrics_port)
