"""One running product for all tests that need it real."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.wiring.product import Product


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Product"]:
    """The whole product, started once for all tests that need it real."""
    from tests.wiring.product import Product  # noqa: PLC0415 - after the environment is set

    with Product(tmp_path_factory.mktemp("product")) as product:
        yield product
