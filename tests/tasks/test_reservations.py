"""The sweep: every overdue order begins to close, whatever becomes of the others."""

import pytest
from flask.testing import FlaskClient

from models import expiring, orders
from tasks import reservations
from tests import shop
from tests.telling import stock


def test_the_sweep_ends_every_overdue_order_and_no_other(client: FlaskClient) -> None:
    shop.make_item(units=10)
    for _ in range(3):
        shop.place(client, quantity=1)
    shop.let_pass(minutes=16)
    shop.place(client, quantity=1)

    shop.sweep()

    assert shop.sql("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state") == [
        ("expired", 3),
        ("pending", 1),
    ]
    assert stock() == [(10, 1)]


def test_one_order_that_cannot_be_closed_does_not_keep_the_others_from_it(
    client: FlaskClient,
) -> None:
    shop.make_item(units=10)
    shop.make_item("STUCK", units=10)
    shop.place(client, sku="STUCK", quantity=1)
    for _ in range(2):
        shop.place(client, quantity=1)
    shop.let_pass(minutes=16)
    shop.sql("UPDATE stock_item SET held = 0 WHERE sku = 'STUCK' RETURNING id")
    shop.sweep()
    assert shop.sql("SELECT state FROM orders ORDER BY id") == [
        ("pending",),
        ("expired",),
        ("expired",),
    ]
    assert shop.sql("SELECT DISTINCT state FROM job") == [("done",)]

    shop.sql("UPDATE stock_item SET held = 1 WHERE sku = 'STUCK' RETURNING id")
    shop.let_pass(minutes=1)
    shop.sweep()
    assert shop.sql("SELECT DISTINCT state FROM orders") == [("expired",)]
    assert stock() == [(10, 0), (10, 0)]


def test_a_batch_frees_baskets_and_pieces_and_leaves_its_words_in_the_journal(
    client: FlaskClient,
) -> None:
    shop.make_item(units=10)
    for sku in ("VASE", "URN"):
        shop.make_item(sku, 1, is_unique=True)
    for piece in ("VASE", "URN"):
        shop.place(client, items=[shop.line(), shop.line(piece, 1)])
    shop.let_pass(minutes=16)
    shop.sweep()

    assert stock() == [(10, 0), (1, 0), (1, 0)]
    assert shop.sql("SELECT DISTINCT status FROM stock_item") == [("available",)]
    said = "SELECT what, from_state, to_state, who FROM journal WHERE subject = 'orders'"
    steps = [
        ("order.placed", None, "pending", "guest"),
        ("order.closing", None, "expired", "system"),
        ("orders.state", "pending", "expired", "system"),
    ]
    for order_id in shop.sql("SELECT id FROM orders"):
        assert shop.sql(f"{said} AND order_id = :id ORDER BY id", id=order_id[0]) == steps


def test_of_two_sweeps_at_once_each_order_is_closed_by_one(client: FlaskClient) -> None:
    shop.make_item(units=100)
    for _ in range(40):
        shop.place(client, quantity=1)
    shop.let_pass(minutes=16)

    shop.at_once(lambda _: shop.sweep(), times=3)

    assert shop.sql("SELECT state, count(*) FROM orders GROUP BY state") == [("expired", 40)]
    released = "SELECT count(*), sum(held_delta) FROM stock_movement WHERE reason = 'released'"
    assert shop.sql(released) == [(40, -40)]
    assert shop.sql("SELECT count(*) FROM journal WHERE what = 'orders.state'") == [(40,)]
    assert stock() == [(100, 0)]


def test_an_order_that_somebody_is_at_is_left_for_later(client: FlaskClient) -> None:
    shop.make_item(units=10)
    busy, _free = (shop.place(client, quantity=1)["id"] for _ in range(2))
    shop.let_pass(minutes=16)
    with shop.database() as session:
        orders.lock(session, busy)
        ended = shop.at_once(lambda _: _expired_at_once(), times=1)
    assert ended == [1]
    assert shop.sql("SELECT state FROM orders ORDER BY id") == [("pending",), ("expired",)]


def _expired_at_once() -> int:
    with shop.database() as session:
        return expiring.expire_unpaid(session, 100)


@pytest.mark.parametrize(
    ("size", "took", "next_size"), [(100, 0.05, 100), (100, 2, 50), (15, 2, 10), (10, 0.05, 20)]
)
def test_a_batch_that_took_long_is_followed_by_a_smaller_one(
    size: int, took: float, next_size: int
) -> None:
    assert reservations._next_batch(size, took) == next_size
