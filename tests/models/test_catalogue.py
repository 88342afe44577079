"""The catalogue: every change is judged under the item's lock, and accounted for.

After each test `tests.invariants` adds up holds and movements.
"""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import NoResultFound

from models import catalogue
from models.catalogue import Filter, ImpossibleStockError, SkuTakenError
from models.stock import MOST_UNITS, StockItem
from tests import shop

pytestmark = pytest.mark.usefixtures("app")
SKU = "TSHIRT-BLUE"
SAID = {"who": "staff:1", "why": "a test"}


def do(verb: Callable[..., StockItem], *args: Any, **options: Any) -> StockItem:
    """Do it to the T-shirt, in a transaction of its own."""
    with shop.database() as session:
        return verb(session, SKU, *args, **options, **SAID)


def now() -> tuple[int, int, str]:
    ((units, held, status),) = shop.sql("SELECT stock, held, status FROM stock_item")
    return units, held, status


def moved() -> list[tuple[int, str]]:
    return shop.sql("SELECT stock_delta, reason FROM stock_movement ORDER BY id")


def journal() -> list[tuple[str, str, str, str, str]]:
    """What staff did since the item was created."""
    return shop.sql(
        "SELECT what, from_state, to_state, who, why FROM journal"
        " WHERE subject = 'stock_item' AND what <> 'stock_item.created' ORDER BY id"
    )


def test_units_that_come_and_go_are_movements_with_a_reason() -> None:
    shop.make_item(units=10)
    do(catalogue.adjust, 5)
    do(catalogue.adjust, -3)
    do(catalogue.count, 7)
    assert now() == (7, 0, "available")
    assert moved()[1:] == [
        (5, "adjusted: a test"),
        (-3, "adjusted: a test"),
        (-5, "adjusted: a test"),
    ]
    assert journal() == [
        ("stock_item.stock", was, becomes, "staff:1", "a test")
        for was, becomes in [("10", "15"), ("15", "12"), ("12", "7")]
    ]


def test_a_count_that_changes_nothing_leaves_no_trace() -> None:
    shop.make_item(units=10)
    do(catalogue.count, 10)
    do(catalogue.adjust, 0)
    assert (len(moved()), journal()) == (1, [])


def test_what_orders_hold_cannot_be_taken_off(client: FlaskClient) -> None:
    shop.make_item(units=10)
    shop.place(client, quantity=4)
    for verb, number in ((catalogue.adjust, -7), (catalogue.count, 3)):
        with pytest.raises(ImpossibleStockError) as refused:
            do(verb, number)
        assert (refused.value.least, refused.value.most) == (4, MOST_UNITS)
    do(catalogue.adjust, -6)
    assert now() == (4, 4, "available")


def test_there_is_a_most_that_one_can_have() -> None:
    shop.make_item(units=10)
    with pytest.raises(ImpossibleStockError):
        do(catalogue.adjust, MOST_UNITS - 9)
    do(catalogue.adjust, MOST_UNITS - 10)
    assert now() == (MOST_UNITS, 0, "available")


def test_a_piece_is_there_or_not() -> None:
    shop.make_item(units=1, is_unique=True)
    with pytest.raises(ImpossibleStockError) as refused:
        do(catalogue.adjust, 1)
    assert (refused.value.least, refused.value.most) == (0, 1)
    do(catalogue.count, 0)
    assert now() == (0, 0, "sold")
    do(catalogue.adjust, 1)
    assert now() == (1, 0, "available")


def test_a_piece_that_is_held_cannot_go(client: FlaskClient) -> None:
    shop.make_item(units=1, is_unique=True)
    shop.place(client, quantity=1)
    with pytest.raises(ImpossibleStockError):
        do(catalogue.count, 0)
    do(catalogue.count, 1)
    assert now() == (1, 1, "reserved")


@pytest.mark.parametrize("is_unique", [False, True])
def test_what_is_archived_is_sold_no_more_and_its_holds_live_on(
    client: FlaskClient, is_unique: bool
) -> None:
    shop.make_item(units=1, is_unique=is_unique)
    shop.place(client, quantity=1)
    do(catalogue.archive)
    do(catalogue.archive)
    assert now() == (1, 1, "archived")
    with shop.database() as session:
        assert catalogue.find(session, [SKU]) == {}

    do(catalogue.unarchive)
    before = "reserved" if is_unique else "available"
    assert now() == (1, 1, before)
    assert [entry[1:3] for entry in journal()] == [(before, "archived"), ("archived", before)]


@pytest.mark.parametrize("is_unique", [False, True])
def test_an_order_of_what_is_archived_since_ends_as_it_would(
    client: FlaskClient, is_unique: bool
) -> None:
    shop.make_item(units=1, is_unique=is_unique)
    shop.place(client, quantity=1)
    do(catalogue.archive)
    shop.let_pass(minutes=16)
    shop.sweep()
    assert now() == (1, 0, "archived")
    do(catalogue.unarchive)
    assert now() == (1, 0, "available")


def test_what_is_archived_can_be_counted_and_stays_archived() -> None:
    shop.make_item(units=1, is_unique=True)
    do(catalogue.archive)
    do(catalogue.count, 0)
    assert now() == (0, 0, "archived")
    do(catalogue.unarchive)
    assert now() == (0, 0, "sold")


def test_a_new_price_is_for_new_orders(client: FlaskClient) -> None:
    shop.make_item(units=10)
    order = shop.place(client, quantity=2)
    item = do(catalogue.change, title="Azure T-shirt", unit_price_minor=2499)
    do(catalogue.change, title="Azure T-shirt")
    assert (item.title, item.unit_price_minor) == ("Azure T-shirt", 2499)
    assert shop.look(client, order)["total"] == "39.98"
    assert journal() == [
        ("stock_item.title", "Blue T-shirt", "Azure T-shirt", "staff:1", "a test"),
        ("stock_item.unit_price_minor", "1999", "2499", "staff:1", "a test"),
    ]


def test_a_sku_names_one_item_for_good() -> None:
    shop.make_item()
    do(catalogue.archive)
    with pytest.raises(SkuTakenError):
        shop.make_item()


def test_what_is_not_there_cannot_be_changed() -> None:
    attempts: list[tuple[Callable[..., StockItem], list[int]]] = [
        (catalogue.adjust, [1]),
        (catalogue.count, [1]),
        (catalogue.archive, []),
        (catalogue.unarchive, []),
        (catalogue.change, []),
    ]
    for verb, arguments in attempts:
        with pytest.raises(NoResultFound):
            do(verb, *arguments)


def test_items_are_listed_by_title_a_page_at_a_time() -> None:
    for sku, title in [("C", "One"), ("A", "Two"), ("B", "One"), ("D", "Three")]:
        shop.make_item(sku, title=title)

    def listed(after: str | None, limit: int = 2) -> list[str]:
        with shop.database() as session:
            found = catalogue.listing(session, Filter(), limit=limit, after=after)
            return [item.sku for item in found]

    assert listed(None, 9) == ["C", "B", "D", "A"]
    assert listed(None) == ["C", "B"]
    assert listed("B") == ["D", "A"]
    assert listed("A") == listed("NONE") == []


def test_items_are_found_by_what_is_asked(client: FlaskClient) -> None:
    shop.make_item("TEA-100%", title="Tea")
    shop.make_item("VASE", title="A vase", units=1, is_unique=True)
    shop.make_item("GONE", title="Steam", units=0)
    shop.make_item(units=2)
    shop.place(client, quantity=2)
    with shop.database() as session:
        catalogue.archive(session, "GONE", **SAID)

    def found(**asked: Any) -> list[str]:
        with shop.database() as session:
            return [each.sku for each in catalogue.listing(session, Filter(**asked), limit=9)]

    assert found() == ["VASE", SKU, "TEA-100%"]
    assert found(text="tEa") == found(text="0%") == found(is_available=True, is_unique=False)
    assert found(text="tEa") == ["TEA-100%"]
    assert found(text="_") == []
    assert found(is_available=True) == ["VASE", "TEA-100%"]
    assert found(is_available=False) == [SKU]
    assert found(is_unique=True) == ["VASE"]
    assert found(is_archived=True) == found(is_archived=True, text="team") == ["GONE"]
