"""A paid order of which we were told, and one of which we were not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.process import StripeProcess

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from tests.reconciliation.world import Paying


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.comparing._PATIENCE_SECONDS", 0)


@pytest.fixture
def sandbox(stripe_sandbox: StripeProcess) -> Iterator[StripeProcess]:
    """The provider with an empty ledger."""
    stripe_sandbox.control("reset")
    yield stripe_sandbox
    stripe_sandbox.control("reset")


@pytest.fixture
def paying(client: "FlaskClient", sandbox: StripeProcess) -> "Paying":
    """A payment that is open."""
    from tests import shop  # noqa: PLC0415 - after the environment is set
    from tests.reconciliation.world import Paying  # noqa: PLC0415

    shop.make_item()
    return Paying(client, sandbox)


@pytest.fixture
def paid(paying: "Paying") -> "Paying":
    """A payment that succeeded ten minutes ago."""
    return paying.pay().told()
