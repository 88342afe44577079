"""What is told of every request: ids in all of its log lines, one line at its end, its figures."""

import logging
import time

from flask import Flask, Response, g, request
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from structlog.contextvars import bind_contextvars, clear_contextvars

from providers.metrics import Counter, Histogram

_IDS = ("order_id", "payment_id")

REQUESTS = Counter("orders_http_requests", "Requests answered, by status.", ["endpoint", "status"])
REQUEST_SECONDS = Histogram(
    "orders_http_request_seconds", "How long requests took to be answered.", ["endpoint"]
)

_log = logging.getLogger(__name__)


class GunicornLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own words in the form of everybody's; its access log would know no ids."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def register(app: Flask) -> None:
    """Watch every request of `app`; its `g.request_id` must be there by then."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.began = time.perf_counter()
    clear_contextvars()
    path = request.view_args or {}
    bind_contextvars(request_id=g.request_id, **{name: path[name] for name in _IDS if name in path})


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    endpoint = request.endpoint or "none"  # never the path, which anybody may make up
    REQUESTS.labels(endpoint, response.status_code).inc()
    REQUEST_SECONDS.labels(endpoint).observe(seconds)
    facts = {
        "method": request.method,
        "endpoint": endpoint,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 1),
    }
    _log.log(_level(endpoint), "request", extra=facts)
    return response


def _level(endpoint: str) -> int:
    """Load balancers ask all day; that is no news."""
    return logging.DEBUG if endpoint.startswith("health.") else logging.INFO


def _forget(_error: BaseException | None) -> None:
    clear_contextvars()
