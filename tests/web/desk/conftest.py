"""Somebody of staff at the desk."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from flask import Flask

if TYPE_CHECKING:
    from tests.web.desk.browser import Desk


@pytest.fixture
def desk_of(app: Flask) -> "Callable[[str], Desk]":
    """Signs somebody new of this role in at the door."""
    from tests.web.desk.browser import sign_in  # noqa: PLC0415 - after the environment is set

    return lambda role: sign_in(app, role)


@pytest.fixture
def clerk(desk_of: "Callable[[str], Desk]") -> "Desk":
    return desk_of("clerk")


@pytest.fixture
def manager(desk_of: "Callable[[str], Desk]") -> "Desk":
    return desk_of("manager")
