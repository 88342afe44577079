"""Tests that kill: a short form in every run, all of them by `make faults`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.harness import Harness


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", action="store_true", help="the long form of tests/faults as well")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: takes long; run by `make faults`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--faults", default=False):
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Harness"]:
    from tests.faults import harness  # noqa: PLC0415 - after the environment is set

    with harness.started(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture
def faulty(house: "Harness") -> Iterator["Harness"]:
    """The product, to be broken; when the test is over it must come to rest with all promises."""
    from tests.faults.checks import settle  # noqa: PLC0415

    yield house
    settle(house)
