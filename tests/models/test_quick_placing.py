"""Placing in one round trip: it writes what `placing` writes, or nothing at all."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from models import idempotency, orders, placing, quick_placing
from models.idempotency import NO_KEY, Kept
from models.session import at_once, transaction
from models.storing import NewLine, NewOrder, Placed
from tasks import database_app
from tests import shop

KEPT = Kept("guest:guest@example.com", "orders.create", "key-1", "f" * 64, 201)
BILLING = {"line1": "9 Lane", "city": "City", "postal_code": "1", "country": "DE", "phone": "17"}
WRITTEN = (
    "orders",
    "order_item",
    "address",
    "journal",
    "reservation",
    "stock_movement",
    "stock_item",
)


@pytest.fixture(autouse=True)
def items(app: Flask) -> Iterator[None]:
    shop.make_item("PRINT", 10)
    shop.make_item("MUG", 5)
    shop.make_item("PIECE", 1, is_unique=True)
    shop.make_item("DOLLARS", 5, currency="USD")
    with app.app_context():
        yield


def new_order(*lines: tuple[str, int], price: int = 1999, **changes: Any) -> NewOrder:
    given: dict[str, Any] = {
        "email": 'd"r@example.com',
        "currency": "EUR",
        "lines": [NewLine(sku, price, quantity) for sku, quantity in lines],
        "addresses": {"shipping": {**shop.ADDRESS, "name": "Ünal \\ 'x'"}, "billing": BILLING},
        "guest_hash": b"\x00guest",
        "client_hash": b"client\xff",
    }
    return NewOrder(**{**given, **changes})


def quickly(new: NewOrder, once: Kept = NO_KEY, most_open: int = 0) -> Placed | None:
    with database_app.app_context(), at_once() as session:
        return quick_placing.place(session, new, who="guest", once=once, most_open=most_open)


def plainly(new: NewOrder, once: Kept = NO_KEY) -> Placed:
    with transaction() as session:
        return placing.place(session, new, chargeable=range(10**6), who="guest", once=once)


def rows_of(order: Placed) -> dict[str, list[str]]:
    """What is stored of the order, and of its items, but for what differs between any two."""
    found = {}
    for table in (*WRITTEN, "idempotency_key"):
        column = {"orders": "id", "stock_item": None}.get(table, "order_id")
        where = f"WHERE {column} = {order.id}" if column else ""
        told = shop.sql(f"SELECT to_jsonb(t) FROM {table} AS t {where} ORDER BY id")
        found[table] = [_without_what_differs(dict(row)) for (row,) in told]
    return found


def _without_what_differs(row: dict[str, Any]) -> str:
    differs = {"id", "order_id", "subject_id", "order_number", "key", "created_at", "at"}
    left = {name: value for name, value in row.items() if name not in differs}
    return re.sub(r"\d\d:\d\d\.\d+\+", "", repr(left))  # within a minute of each other


_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def tried(new: NewOrder, place: Callable[[NewOrder, Kept], Placed | None], key: str) -> Any:
    """The order and what placing it leaves behind; it holds nothing any more."""
    placed = place(new, KEPT._replace(key=key))
    assert placed is not None
    left = rows_of(placed)
    with transaction() as session:
        order = orders.lock(session, placed.id)
        orders.begin_closing(session, order, "cancelled", who="test", why="enough of it")
        orders.end_closing(session, order, who="test", why="enough of it")
    return placed, left


def test_it_writes_what_placing_writes_and_hands_back_the_same() -> None:
    for number, new in enumerate(
        (
            new_order(("PRINT", 2), ("MUG", 5)),
            new_order(("MUG", 1), user_id=shop.make_user("u@example.com"), guest_hash=None),
            new_order(("PRINT", 1), client_hash=None, addresses={"shipping": shop.ADDRESS}),
        )
    ):
        quick, quick_rows = tried(new, quickly, f"quick-{number}")
        plain, plain_rows = tried(new, plainly, f"plain-{number}")

        assert quick_rows == plain_rows
        assert all(quick_rows.values())
        assert _comparable(quick) == _comparable(plain)
        assert shop.sql(
            "SELECT id, order_number, created_at, expires_at FROM orders WHERE id = :id",
            id=quick.id,
        ) == [(quick.id, quick.order_number, quick.created_at, quick.expires_at)]


def _comparable(placed: Placed) -> dict[str, Any]:
    """What does not differ between any two."""
    left = placed._asdict() | {"lasts": placed.expires_at - placed.created_at}
    (entry,) = left.pop("timeline")
    for name in ("id", "order_number", "created_at", "expires_at"):
        del left[name]
    return left | {"entry": {**entry._asdict(), "at": None}}


def test_what_is_kept_of_the_key_names_the_order() -> None:
    placed = quickly(new_order(("PRINT", 1)), KEPT)

    assert placed is not None
    with transaction() as session:
        earlier = idempotency.claim(
            session, caller=KEPT.caller, endpoint=KEPT.endpoint, key="key-1", fingerprint="f" * 64
        )
    assert earlier == (201, placed.id, None, None)


def _archive() -> None:
    shop.sql("UPDATE stock_item SET status = 'archived' WHERE sku = 'PRINT' RETURNING id")


@pytest.mark.parametrize(
    ("new", "first"),
    [
        pytest.param(new_order(("PRINT", 11)), None, id="too many"),
        pytest.param(new_order(("PRINT", 1), ("MUG", 6)), None, id="too many of one of them"),
        pytest.param(new_order(("PRINT", 1), ("NOTHING", 1)), None, id="unknown"),
        pytest.param(new_order(("PRINT", 1), price=1998), None, id="another price"),
        pytest.param(new_order(("PRINT", 1), ("DOLLARS", 1)), None, id="another currency"),
        pytest.param(new_order(("PRINT", 1), ("PIECE", 1)), None, id="a piece has a lock in Redis"),
        pytest.param(new_order(("PRINT", 1), ("PRINT", 1)), None, id="one SKU in two lines"),
        pytest.param(new_order(("PRINT", 1)), _archive, id="archived"),
        pytest.param(
            new_order(("PRINT", 1)),
            lambda: quickly(new_order(("MUG", 1)), KEPT),
            id="its key is known",
        ),
        pytest.param(
            new_order(("PRINT", 1)),
            lambda: [quickly(new_order(("MUG", 1))) for _ in range(3)],
            id="too many open orders",
        ),
    ],
)
def test_what_is_not_plain_is_left_to_placing(
    new: NewOrder, first: Callable[[], object] | None
) -> None:
    if first:
        first()
    before = shop.everything_stored()

    assert quickly(new, KEPT, most_open=3) is None

    assert shop.everything_stored() == before


def test_a_key_that_another_request_holds_is_left_to_placing() -> None:
    with shop.database() as session:
        idempotency.claim(
            session, caller=KEPT.caller, endpoint=KEPT.endpoint, key="key-1", fingerprint="f" * 64
        )
        assert shop.at_once(lambda _: quickly(new_order(("PRINT", 1)), KEPT), 1) == [None]
    assert quickly(new_order(("PRINT", 1)), KEPT) is not None


def test_what_another_buys_while_this_one_waits_for_the_lock_is_seen() -> None:
    """Judged at a glance there was enough of it."""
    with ThreadPoolExecutor(2) as pool:
        with transaction() as session:
            placing.place(session, new_order(("MUG", 4)), chargeable=range(10**6), who="guest")
            waiting = pool.submit(quickly, new_order(("PRINT", 1), ("MUG", 2)))
            pool.submit(shop.await_that, lambda: shop.sql(_WAITING)).result()
        assert waiting.result() is None
    assert shop.sql("SELECT sku, held FROM stock_item WHERE held > 0") == [("MUG", 4)]


def test_baskets_in_opposite_order_neither_deadlock_nor_oversell() -> None:
    shop.make_item("CUP", 30)
    shop.make_item("PLATE", 30)
    baskets = [("CUP", 1), ("PLATE", 1)], [("PLATE", 1), ("CUP", 1)]

    def buy(number: int) -> int:
        placed = [quickly(new_order(*baskets[(number + turn) % 2])) for turn in range(8)]
        return len([one for one in placed if one])

    assert sum(shop.at_once(buy, 8)) == 30
    held = shop.sql("SELECT sku, held FROM stock_item WHERE held > 0 ORDER BY sku")
    assert held == [("CUP", 30), ("PLATE", 30)]


def test_its_moments_are_those_of_the_moved_clock() -> None:
    shop.let_pass(hours=5)
    placed = quickly(new_order(("PRINT", 1)))

    assert placed is not None
    ((hours,),) = shop.sql(
        "SELECT round(extract(epoch FROM :at - clock_timestamp()) / 3600)::int",
        at=placed.created_at,
    )
    assert hours == 5
