"""Settings of a test's own."""

from dataclasses import replace
from typing import Any

import pytest

import settings


def changed(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Have the product in this process see these settings until the test is over."""
    chosen = replace(settings.load(), **values)
    monkeypatch.setattr("settings.current", lambda: chosen)
