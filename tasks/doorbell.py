"""The doorbell: after a commit, tell a worker of its job and a waiting reader of its row.

Ringing is a favour, never a promise. It is bounded, it never raises, and while the broker does
not answer it costs nothing: the relay rings again for whatever was missed.
"""

import base64
import json
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import settings
from models.session import Rung
from providers.metrics import Counter
from tasks.line import Line

_TIMEOUT = 0.5
_PAUSE_AFTER_FAILURE = 5.0

FAILURES = Counter("orders_doorbell_failures", "Times that the broker did not hear the doorbell.")

_PROPERTIES = {"reply_to": "", "delivery_mode": 2, "priority": 0, "body_encoding": "base64"}

logger = logging.getLogger(__name__)


def redis_client(timeout: float = _TIMEOUT, url: str | None = None) -> "Redis":
    """A client of the shared Redis, or of that at `url`: it fails fast and never tries again."""
    return Redis.from_url(
        url or settings.current().redis_url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        client_name="orders-bell",
    )


def channel(name: str) -> str:
    """The Redis channel on which a change of the row `name`, such as `payment:7`, is told."""
    return f"{settings.current().redis_prefix}{name}"


class _Form(NamedTuple):
    """What all messages of one kind have in common, and where they go."""

    key: str
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    rest_of_body: Sequence[Any]


class Doorbell:
    def __init__(self, app: Celery) -> None:
        self._app = app
        self._forms: dict[str, _Form] = {}
        self._broker: Line | None = None
        self._redis: Line | None = None
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
        self._broker = self._redis = None

    def _ring(self, jobs: Sequence[Rung]) -> None:
        if not jobs:
            return
        if self._broker is None:
            self._broker = Line(redis_client(url=settings.current().celery_broker_url))
        messages = defaultdict(list)
        for rung in jobs:
            form = self._form(rung.kind)
            messages[form.key].append(_message(form, rung.job_id))
        for key, waiting in messages.items():
            self._broker.ask("LPUSH", key, *waiting)

    def _form(self, kind: str) -> _Form:
        """The form of a kind's messages, as Celery itself routes and shapes them."""
        if kind not in self._forms:
            queue = self._app.amqp.router.route({}, kind)["queue"].name
            task = self._app.amqp.as_task_v2("", kind, args=[], ignore_result=True)
            self._forms[kind] = _Form(
                key=f"{settings.current().redis_prefix}{queue}",
                headers=task.headers,
                properties=_PROPERTIES | {"delivery_info": {"exchange": "", "routing_key": queue}},
                rest_of_body=task.body[1:],
            )
        return self._forms[kind]

    def _signal(self, signals: Sequence[str]) -> None:
        if not signals:
            return
        if self._redis is None:
            self._redis = Line(redis_client())
        for name in signals:
            self._redis.ask("PUBLISH", channel(name), b"")


def _message(form: _Form, job_id: int) -> str:
    """A task's message as kombu's Redis transport writes it into a queue."""
    number = str(uuid.uuid4())
    body = json.dumps([[job_id], *form.rest_of_body])
    varying = {"id": number, "root_id": number, "argsrepr": f"[{job_id}]"}
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {**form.headers, **varying},
            "properties": {**form.properties, "correlation_id": number, "delivery_tag": number},
        }
    )
