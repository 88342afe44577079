"""Saying no in time: beyond what it can do, the shop turns clients away instead of keeping all.

A crowd waits for a thread. Whoever has waited too long for one is not served then, behind a
client that has long gone, but told at once when to come back: so an answer that is given is given
in time, and those who are served lose nothing to those who are not. Providers and load balancers
are never turned away: what they say is short, and must be heard.
"""

import secrets
import select
import struct
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from socket import IPPROTO_TCP, TCP_INFO, socket
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

import settings
from providers.metrics import Counter
from web.appointments import Appointments
from web.errors import PROBLEM_JSON, Problem
from web.headers import EVERYWHERE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHED = Counter("orders_http_shed", "Requests turned away for having waited too long for a thread.")

_HEALTH, _WEBHOOKS = ("/healthz", "/readyz"), "/orders/webhook/"
_ACCEPTED_AT_ONCE = 64
_COME_BACK_A_SECOND = 50
_MOMENT_MILLISECONDS = 25
_STAYING = 1 / 4  # of the threads; half may wait for workers, and one must be there for who comes
# Of the kernel's `struct tcp_info`: its beginning, and where `tcpi_last_data_recv` stands in it.
_TCP_INFO_SIZE, _LAST_DATA_RECEIVED = 104, 52

_waited: ContextVar[float] = ContextVar("waited", default=0.0)


class _Threads(ThreadPoolExecutor):
    @property
    def in_line(self) -> int:
        """How many requests wait for a thread."""
        return self._work_queue.qsize()


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's thread worker, of which each request knows how long it waited for a thread.

    A thread that has answered stays with its client for a moment, while nobody is in line: whoever
    asks again at once is served without a way through the loop that listens to all clients.
    """

    def init_process(self) -> None:
        self._room_to_stay = room_to_stay(self.cfg.threads)
        super().init_process()

    def get_thread_pool(self) -> _Threads:
        return _Threads(max_workers=self.cfg.threads)

    def accept(self, listener: socket) -> None:
        """Let in all who are at the door, so that they can be told."""
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
        in_line = time.monotonic() - conn.asked_at
        _waited.set(max(in_line, _since_it_was_sent(conn.sock)))
        is_kept = super().handle(conn)
        while is_kept is True and self._asks_again(conn):
            _waited.set(0.0)
            is_kept = super().handle(conn)
        return is_kept

    def _asks_again(self, conn: Any) -> bool:
        """Whether the client does so within a moment that the thread has for it."""
        is_read_ahead = conn.parser.unreader.buf.getvalue()  # the loop looks into that
        if is_read_ahead or self.tpool.in_line or not self.alive:
            return False
        if not self._room_to_stay.acquire(blocking=False):
            return False
        try:
            line = select.poll()
            line.register(conn.sock, select.POLLIN)
            return bool(line.poll(_MOMENT_MILLISECONDS))
        finally:
            self._room_to_stay.release()


def room_to_stay(threads: int) -> threading.BoundedSemaphore:
    """For those of so many threads that may stay with a client."""
    return threading.BoundedSemaphore(max(1, int(threads * _STAYING)))


def _since_it_was_sent(connection: socket) -> float:
    """How long the client's last bytes have been here, by Linux; elsewhere that is not known.

    A busy worker is slow to open its door, too, and of who waits there only the system knows.
    """
    if not sys.platform.startswith("linux"):
        return 0.0
    told = connection.getsockopt(IPPROTO_TCP, TCP_INFO, _TCP_INFO_SIZE)
    (milliseconds,) = struct.unpack_from("I", told, _LAST_DATA_RECEIVED)
    return float(milliseconds) / 1000


class Shedding:
    """Turns away, before anything else is done for it, what has waited for too long."""

    def __init__(self, wsgi: "WSGIApplication", longest_seconds: float) -> None:
        self._wsgi = wsgi
        self._longest = longest_seconds
        self._appointments = Appointments(_COME_BACK_A_SECOND)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if _waited.get() <= self._longest or _must_be_heard(environ["PATH_INFO"]):
            return self._wsgi(environ, start_response)
        SHED.inc()
        problem = Problem(503, "busy", headers={"Retry-After": str(self._appointments.next())})
        body = orjson.dumps(problem.body(secrets.token_hex(8)))
        own = {"Content-Type": PROBLEM_JSON, "Content-Length": str(len(body))}
        headers = {**EVERYWHERE, **problem.headers, **own}
        start_response("503 Service Unavailable", list(headers.items()))
        return [body]


def register(app: Flask) -> None:
    """Have `app` shed what it cannot do in time."""
    if longest := settings.current().longest_queue_seconds:
        app.wsgi_app = Shedding(app.wsgi_app, longest)  # type: ignore[method-assign]


def _must_be_heard(path: str) -> bool:
    return path in _HEALTH or path.startswith(_WEBHOOKS)
