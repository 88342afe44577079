"""Crowds and sweeps in processes of their own: a short form in every run, `make storm` in full."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from tests.contention.storm import Size

_said = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--storm", action="store_true", help="crowds of a thousand; prints figures")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "storm: run by `make storm` alone")
    config.stash[_said] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--storm", default=False):
        return
    left_out = [item for item in items if item.get_closest_marker("storm")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("--storm", default=False):
        for figures in config.stash[_said]:
            terminalreporter.write_line(figures)


@pytest.fixture
def size(pytestconfig: pytest.Config) -> "Size":
    """How many take part."""
    from tests.contention.storm import FULL, SHORT  # noqa: PLC0415 - after the environment is set

    return FULL if pytestconfig.getoption("--storm", default=False) else SHORT


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines to be read when all is over."""
    return pytestconfig.stash.setdefault(_said, [])


@pytest.fixture(scope="session")
def web(product: "Flask") -> Iterator[str]:
    """Where two web processes of the product listen."""
    from tests.contention.processes import serving  # noqa: PLC0415

    with serving() as url:
        yield url


@pytest.fixture(scope="session")
def patient_web(product: "Flask") -> Iterator[str]:
    """The same, which turns nobody away."""
    from tests.contention.processes import serving  # noqa: PLC0415

    with serving(LONGEST_QUEUE_SECONDS="0") as url:
        yield url


@pytest.fixture(scope="session")
def careless_web(product: "Flask") -> Iterator[str]:
    """The same with neither the judgement under lock nor Redis; all are let in at once."""
    from tests.contention.processes import serving  # noqa: PLC0415

    nobody = "redis://127.0.0.1:1"
    without = {"REDIS_URL": nobody, "CELERY_BROKER_URL": nobody, "LONGEST_QUEUE_SECONDS": "0"}
    with serving("judge_before_the_lock", **without) as url:
        yield url


@pytest.fixture
def unchecked(app: "Flask") -> Iterator[None]:
    """A database that lets pass what the guards would not; its rows are gone afterwards."""
    from tests.contention.processes import without_constraints  # noqa: PLC0415

    with without_constraints():
        yield
