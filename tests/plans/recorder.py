"""A plugin that has every statement of a run written down: `pytest -p tests.plans.recorder`."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.plans.recording import Recording, keep, recording

_recording = pytest.StashKey[tuple[ExitStack, Recording]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", required=True, help="the directory to write it down in")


def pytest_configure(config: pytest.Config) -> None:
    stack = ExitStack()
    config.stash[_recording] = (stack, stack.enter_context(recording()))


def pytest_unconfigure(config: pytest.Config) -> None:
    stack, recorded = config.stash[_recording]
    stack.close()
    keep(recorded, Path(config.getoption("--record")), str(os.getpid()))
