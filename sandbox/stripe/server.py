"""The Stripe sandbox as one process."""

from pathlib import Path

from flask import Flask

from sandbox.provider import desk, server
from sandbox.provider.courier import Courier
from sandbox.provider.store import Store
from sandbox.stripe import api, control, page, refunds
from sandbox.stripe.call import CONFIGURATION
from sandbox.stripe.errors import missing
from sandbox.stripe.state import Sandbox, create_sandbox


def create_app(sandbox: Sandbox) -> Flask:
    """Return the application with API, control surface and pages."""
    parts = [part.create_blueprint(sandbox) for part in (api, control, page)]
    parts.append(desk.create_blueprint(sandbox, control.create_desk(sandbox)))
    return server.create_app("sandbox.stripe", parts, ("/v1/",))


def run(
    host: str,
    port: int,
    *,
    secret_key: str,
    publishable_key: str,
    webhook_url: str | None,
    webhook_secret: str | None,
    state: Path | None,
) -> None:
    """Serve until a signal ends the process."""
    given = {"webhook_url": webhook_url, "webhook_secret": webhook_secret}

    def open_at(base_url: str) -> Flask:
        store = Store(state, defaults=CONFIGURATION, missing=missing)
        sandbox = create_sandbox(store, base_url, secret_key, publishable_key)
        with store.transaction():
            store.configure(**{name: value for name, value in given.items() if value})
        Courier(sandbox, lambda: _settle(sandbox)).start()
        return create_app(sandbox)

    server.serve("stripe", host, port, open_at)


def _settle(sandbox: Sandbox) -> None:
    with sandbox.call() as call:
        refunds.settle_due(call)
