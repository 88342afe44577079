"""Stock: held, taken and released, all lines or none, whoever else is buying.

After each test `tests.invariants` adds up holds and movements.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import orders, stock
from models.placing import place
from models.stock import OutOfStockError
from models.storing import NewLine, NewOrder
from tests import shop

pytestmark = pytest.mark.usefixtures("app")
BUYERS = 8


def buy(session: Session, **quantities: int) -> int:
    """Place an order of so many units by SKU; its id."""
    lines = [
        NewLine(sku=sku, unit_price_minor=1999, quantity=quantity)
        for sku, quantity in quantities.items()
    ]
    new = NewOrder(
        email="guest@example.com",
        currency="EUR",
        lines=lines,
        addresses={"shipping": shop.ADDRESS},
    )
    return place(session, new, chargeable=range(10**9), who="guest").id


def ordered(**quantities: int) -> int:
    """Place an order in a transaction of its own, by the plan that favours no order of rows."""
    with shop.database() as session:
        session.execute(text("SET LOCAL enable_indexscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        return buy(session, **quantities)


def end(order_id: int) -> None:
    """Let the order end unpaid."""
    with shop.database() as session:
        order = orders.lock(session, order_id)
        orders.begin_closing(session, order, "cancelled", who="test", why="test")
        orders.end_closing(session, order, who="test", why="test")


@contextmanager
def unpaid() -> Iterator[Session]:
    """A transaction to look at what taking does; nobody has paid, so nothing of it may stay."""
    with suppress(LookupError), shop.database() as session:
        yield session
        raise LookupError


def items() -> dict[str, tuple[int, int, str]]:
    rows = shop.sql("SELECT sku, stock, held, status FROM stock_item")
    return {sku: (units, held, status) for sku, units, held, status in rows}


def movements(reason: str) -> list[tuple[int, int]]:
    return shop.sql(
        "SELECT stock_delta, held_delta FROM stock_movement WHERE reason = :reason ORDER BY id",
        reason=reason,
    )


def test_what_is_held_is_no_longer_for_sale_and_what_is_released_is_again() -> None:
    shop.make_item("A", units=3)
    first = ordered(A=2)
    assert items() == {"A": (3, 2, "available")}
    with pytest.raises(OutOfStockError):
        ordered(A=2)
    end(first)
    assert items() == {"A": (3, 0, "available")}
    ordered(A=3)
    assert (movements("held"), movements("released")) == ([(0, 2), (0, 3)], [(0, -2)])


def test_a_hold_is_all_lines_or_none_and_names_those_that_fell_short() -> None:
    shop.make_item("A", units=5)
    short = shop.make_item("B", units=1)
    with pytest.raises(OutOfStockError) as failed:
        ordered(A=2, B=2)
    assert failed.value.item_ids == [short]
    assert items() == {"A": (5, 0, "available"), "B": (1, 0, "available")}
    assert shop.sql("SELECT id FROM orders") == []


def test_a_failed_hold_leaves_its_transaction_as_it_was() -> None:
    held, short = shop.make_item("A", units=5), shop.make_item("B", units=1)
    with shop.database() as session:
        order_id = buy(session, B=1)
        with pytest.raises(OutOfStockError):
            stock.hold(session, order_id, {held: 1, short: 1}, who="test")
    assert items() == {"A": (5, 0, "available"), "B": (1, 1, "available")}


def test_an_archived_item_cannot_be_held() -> None:
    item_id = shop.make_item("A")
    shop.make_item("B")
    with shop.database() as session:
        order_id = buy(session, B=1)
        session.execute(text("UPDATE stock_item SET status = 'archived' WHERE sku = 'A'"))
        with pytest.raises(OutOfStockError) as failed:
            stock.hold(session, order_id, {item_id: 1}, who="test")
    assert failed.value.item_ids == [item_id]


def test_a_second_take_and_a_release_after_it_change_nothing() -> None:
    shop.make_item("A", units=3)
    with shop.database() as session:
        order_id = buy(session, A=2)
    with unpaid() as session:
        assert stock.take(session, order_id, who="test") == 1
        assert stock.take(session, order_id, who="test") == 0
        assert stock.release(session, order_id, who="test") == 0
        row = session.execute(text("SELECT stock, held FROM stock_item")).one()
        assert tuple(row) == (1, 0)


def test_a_unique_piece_is_available_then_reserved_then_available_or_sold() -> None:
    shop.make_item("VASE", units=1, is_unique=True)
    first = ordered(VASE=1)
    assert items() == {"VASE": (1, 1, "reserved")}
    with pytest.raises(OutOfStockError):
        ordered(VASE=1)
    end(first)
    assert items() == {"VASE": (1, 0, "available")}
    with pytest.raises(OutOfStockError):
        ordered(VASE=2)
    second = ordered(VASE=1)
    with unpaid() as session:
        stock.take(session, second, who="test")
        row = session.execute(text("SELECT stock, held, status FROM stock_item")).one()
        assert tuple(row) == (0, 0, "sold")
    assert shop.sql("SELECT DISTINCT product_status FROM order_item") == [("available",)]


@pytest.mark.parametrize(
    "change",
    [
        "held = stock + 1",
        "held = -1",
        "stock = -1",
        "is_unique = true, stock = 2",
        "is_unique = true, stock = 1, status = 'sold'",
        "is_unique = true, stock = 0, status = 'available'",
        "is_unique = true, stock = 1, held = 1, status = 'available'",
        "status = 'sold'",
    ],
)
def test_the_database_itself_refuses_stock_that_does_not_add_up(change: str) -> None:
    shop.make_item("A", units=3)
    with pytest.raises(IntegrityError), shop.database() as session:
        session.execute(text(f"UPDATE stock_item SET {change}"))


def rush(buying: Callable[[int], object]) -> int:
    """Let all buyers buy at the same moment; how many got what they wanted."""
    together = threading.Barrier(BUYERS)

    def one(number: int) -> bool:
        together.wait(timeout=10)
        try:
            buying(number)
        except (OutOfStockError, IntegrityError):
            return False
        return True

    with ThreadPoolExecutor(BUYERS) as pool:
        return sum(pool.map(one, range(BUYERS)))


def test_a_rush_sells_each_unit_once_and_leaves_none_unsold() -> None:
    shop.make_item("A", units=5)
    assert rush(lambda _: ordered(A=1)) == 5
    assert items() == {"A": (5, 5, "available")}


def test_of_a_rush_for_a_unique_piece_one_buyer_gets_it() -> None:
    shop.make_item("VASE", units=1, is_unique=True)
    assert rush(lambda _: ordered(VASE=1)) == 1
    assert items() == {"VASE": (1, 1, "reserved")}


def test_reading_before_writing_would_oversell() -> None:
    """Without the guard in one statement, the same rush sells what is not there."""
    shop.make_item("A", units=5)
    read = threading.Barrier(BUYERS)
    sold: list[int] = []

    def careless(number: int) -> None:
        ((free,),) = shop.sql("SELECT stock - held FROM stock_item")
        read.wait(timeout=10)
        if free >= 1:
            sold.append(number)

    assert rush(careless) == BUYERS
    assert len(sold) > 5


def test_opposite_baskets_never_deadlock() -> None:
    for sku in ("A", "B", "C"):
        shop.make_item(sku, units=100)

    def both_ways(number: int) -> None:
        for _ in range(5):
            end(ordered(A=1, B=1, C=1) if number % 2 else ordered(C=1, B=1, A=1))

    assert rush(both_ways) == BUYERS
    assert items() == dict.fromkeys("ABC", (100, 0, "available"))


def test_a_unit_freed_while_a_buyer_waits_for_the_row_is_theirs() -> None:
    """Whoever waited for a lock must judge what is there now, not what was when they came."""
    shop.make_item("A", units=1)
    shop.make_item("B", units=1)
    first = ordered(A=1)
    with ThreadPoolExecutor(1) as pool, shop.database() as freeing:
        order = orders.lock(freeing, first)
        orders.begin_closing(freeing, order, "cancelled", who="test", why="test")
        orders.end_closing(freeing, order, who="test", why="test")
        freeing.flush()
        waiting = pool.submit(ordered, A=1, B=1)
        wait_for_a_lock()
        freeing.commit()
        waiting.result()
    assert items() == {"A": (1, 1, "available"), "B": (1, 1, "available")}


@pytest.mark.parametrize("act", [end, lambda _order_id: ordered(B=1, A=1)], ids=["end", "hold"])
def test_rows_are_locked_in_the_order_of_their_ids_wherever_they_lie(
    act: Callable[[int], object],
) -> None:
    for sku in ("A", "B"):
        shop.make_item(sku)
    held = ordered(A=1, B=1)
    shop.sql("UPDATE stock_item SET title = title WHERE sku = 'A' RETURNING id")  # now behind B
    lock = "SELECT FROM stock_item WHERE sku = :sku FOR NO KEY UPDATE NOWAIT"
    with ThreadPoolExecutor(1) as pool:
        with shop.database() as other:
            other.execute(text(lock), {"sku": "A"})
            waiting = pool.submit(act, held)
            wait_for_a_lock()
            other.execute(text(lock), {"sku": "B"})  # whoever waits for A has not taken B
        waiting.result()


def wait_for_a_lock() -> None:
    """Return when somebody in the database waits for somebody else's row."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while shop.sql(query) == [(0,)]:
        pass
