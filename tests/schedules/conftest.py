"""The world that schedules run in, and how many of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from tests.sandbox.process import PayPalProcess, StripeProcess
    from tests.schedules.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--schedules", type=int, help="how many random schedules, instead of 200")
    parser.addoption("--first-seed", type=int, help="the seed of the first hundred of them")


@pytest.fixture
def world(
    app: "Flask",
    client: "FlaskClient",
    stripe_sandbox: "StripeProcess",
    paypal_sandbox: "PayPalProcess",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["World"]:
    from tests.faults.stories import empty_the_shop  # noqa: PLC0415 - after the environment is set
    from tests.mail import MailServer  # noqa: PLC0415
    from tests.schedules import stops  # noqa: PLC0415
    from tests.schedules.at_paypal import AtPayPal  # noqa: PLC0415
    from tests.schedules.at_stripe import AtStripe  # noqa: PLC0415
    from tests.schedules.world import World  # noqa: PLC0415

    with MailServer(monkeypatch) as mail, stops.watched(monkeypatch):
        providers = (AtStripe(stripe_sandbox), AtPayPal(paypal_sandbox))
        world = World(client, providers, mail, monkeypatch)
        yield world
        world.close()
        for sandbox in (stripe_sandbox, paypal_sandbox):
            sandbox.control("reset")
        empty_the_shop()  # each schedule has been judged, and some were to end badly
