"""Saying no in time: beyond what it can do, the shop turns clients away instead of keeping all.

A crowd waits for a thread. Whoever has waited too long for one is not served then, behind a
client that has long gone, but told at once when to come back: so an answer that is given is given
in time, and those who are served lose nothing to those who are not. Providers and load balancers
are never turned away: what they say is short, and must be heard.
"""

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

import settings
from providers.metrics import Counter
from web.appointments import Appointments
from web.errors import Problem

if TYPE_CHECKING:
    from socket import socket

SHED = Counter("orders_http_shed", "Requests turned away for having waited too long for a thread.")

_NEVER = frozenset({"health", "webhooks"})
_ACCEPTED_AT_ONCE = 64
_COME_BACK_A_SECOND = 50

_waited: ContextVar[float] = ContextVar("waited", default=0.0)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's thread worker, of which each request knows how long it waited for a thread."""

    def accept(self, listener: "socket") -> None:
        """Let in all who are at the door: while they wait there, nobody counts how long."""
        for _ in range(_ACCEPTED_AT_ONCE):
            before = self.nr_conns
            if before >= self.worker_connections:
                return
            super().accept(listener)
            if self.nr_conns == before:
                return

    def enqueue_req(self, conn: Any) -> None:
        conn.asked_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        _waited.set(time.monotonic() - conn.asked_at)
        return super().handle(conn)


def register(app: Flask) -> None:
    """Turn away, before anything else is done for it, what has waited for too long."""
    longest = settings.current().longest_queue_seconds
    appointments = Appointments(_COME_BACK_A_SECOND)

    @app.before_request
    def refuse_late() -> None:
        if longest and _waited.get() > longest and request.blueprint not in _NEVER:
            SHED.inc()
            raise Problem(503, "busy", headers={"Retry-After": str(appointments.next())})
