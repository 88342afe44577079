from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wiring.product import Product


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, started once for all tests that need it real."""
    directory: Path = tmp_path_factory.mktemp("product")
    with Product(directory) as product:
        yield product
