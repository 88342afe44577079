"""The server process: the application, its port, and its end."""

import argparse
import os
import signal
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.provider.refusal import Refusal

BACKLOG = 512
LOCAL_NAMES = ("127.0.0.1", "localhost")
HERE = Path(__file__).parent


class Handler(WSGIRequestHandler):
    """Says nothing about each request and sends each part of an answer at once."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the record of requests to the control surface."""


def create_app(package: str, blueprints: Sequence[Blueprint], api: tuple[str, ...]) -> Flask:
    """Return the application of these blueprints; other sites may call what is below `api`."""
    app = Flask(package, static_folder=str(HERE / "static"))
    app.register_blueprint(Blueprint("shared", __name__, template_folder=str(HERE / "templates")))
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    app.before_request(lambda: _refuse_strangers(api))
    app.register_error_handler(Refusal, _not_there)
    return app


def _refuse_strangers(api: tuple[str, ...]) -> ResponseReturnValue | None:
    """Keep pages of other sites from steering the sandbox through the developer's browser."""
    if request.host.rpartition(":")[0] not in LOCAL_NAMES:
        return "This server answers to 127.0.0.1 only.\n", 403
    origin = request.headers.get("Origin")
    for_everyone = request.path.startswith(api) or request.method in ("GET", "HEAD")
    if for_everyone or origin in (None, f"http://{request.host}"):
        return None
    return "Not from another site.\n", 403


def _not_there(error: Refusal) -> ResponseReturnValue:
    return str(error) + "\n", error.status


def loopback(address: str) -> str:
    """Return the address if only this machine can reach it."""
    if not ip_address(address).is_loopback:
        raise argparse.ArgumentTypeError(f"{address} is not a loopback address")
    return address


def arguments(program: str, description: str | None) -> argparse.ArgumentParser:
    """The command line that every stand-in has."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--host", type=loopback, default="127.0.0.1")
    parser.add_argument("--webhook-url")
    parser.add_argument("--state", type=Path, help="a file that keeps everything over restarts")
    return parser


def serve(name: str, host: str, port: int, open_at: Callable[[str], Flask]) -> None:
    """Serve what `open_at` makes for the address until a signal ends the process at once.

    The state is safe at any moment.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    listener = socket.create_server((host, port), backlog=BACKLOG)
    bound_port = listener.getsockname()[1]
    base_url = f"http://{host}:{bound_port}"
    server = make_server(
        host,
        bound_port,
        open_at(base_url),
        threaded=True,
        request_handler=Handler,
        fd=listener.fileno(),
    )
    print(f"{name} sandbox on {base_url}", flush=True)
    server.serve_forever()
