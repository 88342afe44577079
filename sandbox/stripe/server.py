"""The server process: the application, its port, and its end."""

import os
import signal
import socket
from pathlib import Path

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.stripe import api, control, page, refunds
from sandbox.stripe.call import configure
from sandbox.stripe.courier import Courier
from sandbox.stripe.errors import StripeError
from sandbox.stripe.state import Sandbox
from sandbox.stripe.store import Store

BACKLOG = 512
LOCAL_NAMES = ("127.0.0.1", "localhost")


class Handler(WSGIRequestHandler):
    """Says nothing about each request and sends each part of an answer at once."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the record of requests to the control surface."""


def create_app(sandbox: Sandbox) -> Flask:
    """Return the application with API, control surface and pages."""
    app = Flask("sandbox.stripe")
    app.register_blueprint(api.create_blueprint(sandbox))
    app.register_blueprint(control.create_blueprint(sandbox))
    app.register_blueprint(page.create_blueprint(sandbox))
    app.before_request(_refuse_strangers)
    app.register_error_handler(StripeError, _not_there)
    return app


def _refuse_strangers() -> ResponseReturnValue | None:
    """Keep pages of other sites from steering the sandbox through the developer's browser."""
    if request.host.rpartition(":")[0] not in LOCAL_NAMES:
        return "This server answers to 127.0.0.1 only.\n", 403
    origin = request.headers.get("Origin")
    for_everyone = request.path.startswith("/v1/") or request.method in ("GET", "HEAD")
    if for_everyone or origin in (None, f"http://{request.host}"):
        return None
    return "Not from another site.\n", 403


def _not_there(error: StripeError) -> ResponseReturnValue:
    return str(error) + "\n", error.status


def serve(
    port: int,
    *,
    host: str,
    secret_key: str,
    publishable_key: str,
    webhook_url: str | None,
    webhook_secret: str | None,
    state: Path | None,
) -> None:
    """Serve until a signal ends the process at once; the state is safe at any moment."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    listener = socket.create_server((host, port), backlog=BACKLOG)
    bound_port = listener.getsockname()[1]
    base_url = f"http://{host}:{bound_port}"
    sandbox = Sandbox(Store(state), base_url, secret_key, publishable_key)
    given = {"webhook_url": webhook_url, "webhook_secret": webhook_secret}
    with sandbox.store.transaction():
        configure(sandbox.store, **{name: value for name, value in given.items() if value})
    Courier(sandbox.store, lambda: _settle(sandbox)).start()
    server = make_server(
        host,
        bound_port,
        create_app(sandbox),
        threaded=True,
        request_handler=Handler,
        fd=listener.fileno(),
    )
    print(f"stripe sandbox on {base_url}", flush=True)
    server.serve_forever()


def _settle(sandbox: Sandbox) -> None:
    with sandbox.call() as call:
        refunds.settle_due(call)
