"""One Stripe sandbox for all tests, emptied before each of them."""

from collections.abc import Iterator

import pytest
import stripe

from tests.sandbox.process import StripeProcess, WebhookEndpoint
from tests.stripe_spec import SPECS, ValidatingHTTPClient


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[StripeProcess]:
    with StripeProcess() as process:
        yield process


@pytest.fixture
def sandbox(running_sandbox: StripeProcess) -> StripeProcess:
    running_sandbox.control("config", method="DELETE")
    running_sandbox.control("config", {"webhook_url": None, "refund_seconds": None})
    running_sandbox.control("reset")
    return running_sandbox


@pytest.fixture
def client(sandbox: StripeProcess) -> stripe.StripeClient:
    """The official SDK; if Stripe's own document is there, it judges all that passes."""
    judged = ValidatingHTTPClient(timeout=30) if SPECS.exists() else None
    return sandbox.client(judged)


@pytest.fixture
def endpoint(sandbox: StripeProcess) -> Iterator[WebhookEndpoint]:
    with WebhookEndpoint() as webhooks:
        sandbox.control("config", {"webhook_url": webhooks.url})
        yield webhooks
