"""A running shop, and people who come to it with browsers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.person import BROWSER, DRIVER, Person, person

if TYPE_CHECKING:
    from tests.wiring.product import Product

Arrival = Callable[[], Person]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Product]":
    """The whole product with its demo shop, whose sweeps look for what is late all the time."""
    from tests.wiring.product import Product  # noqa: PLC0415 - after the environment is set

    if not (BROWSER and DRIVER):
        pytest.skip("NO BROWSER, NOT TESTED: apt-get install chromium chromium-driver")
    directory = tmp_path_factory.mktemp("shop")
    with Product(
        directory,
        LIMIT_ORDERS_PER_MINUTE="0",
        SWEEP_PERIOD_SECONDS="1",
        JANITOR_SECONDS="2",
        JOB_BACKOFF_CAP_SECONDS="2",
    ) as product:
        yield product


@pytest.fixture
def arrives(running: "Product") -> Iterator[Arrival]:
    """Another person with a browser; nothing they met was an error, or from elsewhere."""
    home = running.run["base_urls"]["web"]
    people: list[Person] = []
    with ExitStack() as stack:

        def arrive() -> Person:
            people.append(stack.enter_context(person(home)))
            return people[-1]

        yield arrive
        for each in people:
            assert each.complaints() == []
            assert each.hosts() == {urlsplit(home).hostname}


@pytest.fixture
def buyer(arrives: Arrival) -> Person:
    return arrives()
