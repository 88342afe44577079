"""The doorbell: after a commit, tell a worker of its job and a waiting reader of its row.

Ringing is a favour, never a promise. It is bounded, it never raises, and while the broker does
not answer it costs nothing: the relay rings again for whatever was missed.
"""

import logging
import time
from collections.abc import Sequence

from celery import Celery
from kombu.connection import Connection
from kombu.pools import ProducerPool
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import settings
from models.session import Rung
from providers.metrics import Counter

_TIMEOUT = 0.5
_PAUSE_AFTER_FAILURE = 5.0

FAILURES = Counter("orders_doorbell_failures", "Times that the broker did not hear the doorbell.")

logger = logging.getLogger(__name__)


def redis_client(timeout: float = _TIMEOUT) -> "Redis":
    """A client of the shared Redis that fails fast instead of trying again."""
    return Redis.from_url(
        settings.current().redis_url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        client_name="orders-bell",
    )


def channel(name: str) -> str:
    """The Redis channel on which a change of the row `name`, such as `payment:7`, is told."""
    return f"{settings.current().redis_prefix}{name}"


class Doorbell:
    def __init__(self, app: Celery) -> None:
        self._app = app
        self._producers: ProducerPool | None = None
        self._redis: Redis | None = None
        self._silent_until = 0.0

    def __call__(self, jobs: Sequence[Rung], signals: Sequence[str]) -> None:
        """Ring for each job and signal, or fail quietly and stay silent for a while."""
        if self.is_silent:
            return
        try:
            self._ring(jobs)
            self._signal(signals)
        except Exception as error:  # noqa: BLE001 - whatever it is, the commit has happened
            self._silent_until = time.monotonic() + _PAUSE_AFTER_FAILURE
            self.forget()
            FAILURES.inc()
            logger.warning("the doorbell is silent for %s s: %r", _PAUSE_AFTER_FAILURE, error)

    @property
    def is_silent(self) -> bool:
        """Whether ringing has failed lately."""
        return time.monotonic() < self._silent_until

    def forget(self) -> None:
        """Drop all connections, as after a fork or a failure."""
        self._producers = self._redis = None

    def _ring(self, jobs: Sequence[Rung]) -> None:
        if not jobs:
            return
        if self._producers is None:
            self._producers = ProducerPool(_connection().Pool(limit=10), limit=10)
        with self._producers.acquire(block=True, timeout=_TIMEOUT) as producer:
            for rung in jobs:
                self._app.send_task(
                    rung.kind,
                    args=[rung.job_id],
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                )

    def _signal(self, signals: Sequence[str]) -> None:
        if not signals:
            return
        if self._redis is None:
            self._redis = redis_client()
        for name in signals:
            self._redis.publish(channel(name), b"")


def _connection() -> Connection:
    chosen = settings.current()
    return Connection(
        chosen.celery_broker_url,
        connect_timeout=_TIMEOUT,
        transport_options={
            "socket_timeout": _TIMEOUT,
            "socket_connect_timeout": _TIMEOUT,
            "retry_on_timeout": False,
            "max_retries": 0,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
            "global_keyprefix": chosen.redis_prefix,
            "client_name": "orders-bell",
        },
    )
