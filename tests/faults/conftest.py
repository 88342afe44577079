"""Tests that kill: a short form in every run, all of them by `make faults`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.harness import Harness


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", action="store_true", help="the long form of tests/faults as well")
    parser.addoption(
        "--defaults", action="store_true", help="run tests/faults with the default settings"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: takes long; run by `make faults`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--faults", default=False):
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator["Harness"]:
    from tests.faults import harness, profile  # noqa: PLC0415 - after the environment is set

    settings, patience = dict(profile.FAULT_PROFILE), profile.SETTLES_IN_SECONDS
    if pytestconfig.getoption("--defaults"):
        settings, patience = {}, profile.SETTLES_IN_SECONDS_BY_DEFAULT
    with harness.started(tmp_path_factory.mktemp("faults"), settings, patience) as running:
        yield running


@pytest.fixture
def faulty(house: "Harness") -> Iterator["Harness"]:
    """The product, to be broken; when the test is over it must come to rest with all promises."""
    from tests.faults.checks import settle  # noqa: PLC0415

    yield house
    settle(house)
