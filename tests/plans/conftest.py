"""Where statements are taken from that a whole run has recorded."""

from pathlib import Path

import pytest

from tests.plans.recording import Sent, kept


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--explain", help="a directory of recorded statements, to be judged as well")


@pytest.fixture
def of_the_suite(request: pytest.FixtureRequest) -> list[Sent]:
    """What all tests have sent; nothing where they were not recorded."""
    directory = request.config.getoption("--explain")
    return kept(Path(directory)) if directory else []
