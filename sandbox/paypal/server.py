"""The PayPal sandbox as one process."""

from pathlib import Path

from flask import Flask

from sandbox.paypal import api, control, page
from sandbox.paypal.call import CONFIGURATION
from sandbox.paypal.errors import missing
from sandbox.paypal.state import Sandbox, create_sandbox
from sandbox.provider import desk, server
from sandbox.provider.courier import Courier
from sandbox.provider.store import Store


def create_app(sandbox: Sandbox) -> Flask:
    """Return the application with API, control surface and pages."""
    parts = [part.create_blueprint(sandbox) for part in (api, control, page)]
    parts.append(desk.create_blueprint(sandbox, control.create_desk(sandbox)))
    return server.create_app("sandbox.paypal", parts, ("/v1/", "/v2/"))


def run(
    host: str,
    port: int,
    *,
    client_id: str,
    client_secret: str,
    webhook_id: str,
    webhook_url: str | None,
    state: Path | None,
) -> None:
    """Serve until a signal ends the process."""

    def open_at(base_url: str) -> Flask:
        store = Store(state, defaults=CONFIGURATION, missing=missing)
        sandbox = create_sandbox(
            store,
            base_url,
            client_id=client_id,
            client_secret=client_secret,
            webhook_id=webhook_id,
        )
        if webhook_url:
            with store.transaction():
                store.configure(webhook_url=webhook_url)
        Courier(sandbox, lambda: None).start()
        return create_app(sandbox)

    server.serve("paypal", host, port, open_at)
