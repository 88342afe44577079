"""One sandbox of each provider for all tests, emptied before each of them."""

from collections.abc import Iterator

import pytest
import stripe

from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess, StripeProcess, WebhookEndpoint
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


@pytest.fixture(scope="session")
def running_paypal() -> Iterator[PayPalProcess]:
    with PayPalProcess() as process:
        yield process


@pytest.fixture
def paypal(running_paypal: PayPalProcess) -> PayPalProcess:
    running_paypal.control("config", method="DELETE")
    running_paypal.control("config", {"webhook_url": None})
    running_paypal.control("reset")
    return running_paypal


@pytest.fixture
def api(paypal: PayPalProcess) -> Iterator[PayPalApi]:
    """What an adapter does by HTTP; if PayPal's own documents are there, they judge all of it."""
    with PayPalApi(paypal) as caller:
        yield caller
