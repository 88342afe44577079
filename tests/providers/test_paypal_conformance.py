"""PayPal's adapter in every scenario that holds for all providers, over HTTP.

If PayPal's own documents are there, they judge every request, also refused ones, every answer and
every event.
"""

from collections.abc import Callable, Iterator

import pytest
import requests
from jsonschema import ValidationError

import settings
from providers.paypal import PayPal
from tests.paypal_spec import SPECS, JudgingSession, needs_spec
from tests.providers import (
    conformance_events,
    conformance_payments,
    conformance_refunds,
)
from tests.providers.paypal_world import PayPalWorld
from tests.providers.world import World, payment_request, scenarios
from tests.sandbox.process import PayPalProcess

assert all((conformance_payments, conformance_refunds, conformance_events))  # their scenarios


@pytest.fixture
def world(paypal_sandbox: PayPalProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[PayPalWorld]:
    if SPECS.exists():
        monkeypatch.setattr(requests, "Session", JudgingSession)
    around = PayPalWorld(paypal_sandbox)
    yield around
    around.over()


@pytest.mark.parametrize("scenario", scenarios(PayPalWorld.habits))
def test_paypal(scenario: Callable[[World], None], world: PayPalWorld) -> None:
    scenario(world)


@needs_spec
def test_the_judge_refuses_what_paypal_does_not_know(world: PayPalWorld) -> None:
    asked = payment_request(world, order_number="x" * 128)  # too long for a description
    with pytest.raises(ValidationError):
        PayPal(settings.current()).create(asked)
    assert world.opened(asked) == []
