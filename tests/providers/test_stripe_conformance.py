"""Stripe's adapter in every scenario that holds for all providers, over HTTP.

If Stripe's own document is there, it judges every request, also refused ones, every answer and
every event.
"""

from collections.abc import Callable, Iterator

import pytest
import stripe
from jsonschema import ValidationError

import settings
from providers.stripe import Stripe
from tests.providers import (
    conformance_events,
    conformance_payments,
    conformance_refunds,
)
from tests.providers.stripe_world import KlarnaWorld, StripeWorld
from tests.providers.world import World, payment_request, scenarios
from tests.sandbox.process import StripeProcess
from tests.stripe_spec import SPECS, StrictHTTPClient, needs_spec

assert all((conformance_payments, conformance_refunds, conformance_events))  # their scenarios


@pytest.fixture
def world(stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeWorld]:
    if SPECS.exists():
        monkeypatch.setattr(stripe, "RequestsClient", StrictHTTPClient)
    around = StripeWorld(stripe_sandbox)
    yield around
    around.over()


@pytest.mark.parametrize("scenario", scenarios(StripeWorld.habits))
def test_stripe(scenario: Callable[[World], None], world: StripeWorld) -> None:
    scenario(world)


@pytest.fixture
def klarna(world: StripeWorld, stripe_sandbox: StripeProcess) -> Iterator[KlarnaWorld]:
    """The same, judged alike, where buyers pay on Klarna's page."""
    around = KlarnaWorld(stripe_sandbox)
    yield around
    around.over()


@pytest.mark.parametrize("scenario", scenarios(KlarnaWorld.habits))
def test_klarna_through_stripe(scenario: Callable[[World], None], klarna: KlarnaWorld) -> None:
    scenario(klarna)


@needs_spec
def test_the_judge_refuses_what_stripe_does_not_know(world: StripeWorld) -> None:
    asked = payment_request(world, order_number="x" * 1001)  # too long for a description
    with pytest.raises(ValidationError):
        Stripe(settings.current()).create(asked)
    assert world.opened(asked) == []
