"""Goods leave once, and not while anything about their order is in doubt."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import fulfilment, order_desk, orders
from models.fulfilment import NotShippableError
from models.order_desk import Filter
from tests import shop
from tests.telling import sent_payment, tell


@pytest.fixture
def order_id(client: FlaskClient) -> int:
    """A paid order of two of ten T-shirts."""
    shop.make_item(units=10)
    tell(sent_payment(client), "succeeded")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    return int(order_id)


def ship(order_id: int, **facts: Any) -> None:
    with shop.database() as session:
        fulfilment.ship(session, order_id, who="staff:1", **facts)


def deliver(order_id: int) -> None:
    with shop.database() as session:
        fulfilment.deliver(session, order_id, who="staff:1")


def mails() -> list[str]:
    return [kind for (kind,) in shop.sql("SELECT kind FROM notification ORDER BY id")]


def moves() -> list[Any]:
    return shop.sql("SELECT to_state FROM journal WHERE what = 'orders.fulfilment' ORDER BY id")


def test_goods_leave_and_arrive_and_the_customer_is_told_once(order_id: int) -> None:
    for _ in range(2):
        ship(order_id, carrier="An Post", tracking_number="RR1IE")
    assert mails() == ["order_paid", "order_shipped"]
    for _ in range(2):
        deliver(order_id)
    assert moves() == [("shipped",), ("delivered",)]
    assert shop.sql("SELECT delivered_at IS NOT NULL FROM shipment") == [(True,)]
    with pytest.raises(NotShippableError, match="already_delivered"):
        ship(order_id)


def test_a_wrong_tracking_number_is_corrected_without_another_mail(order_id: int) -> None:
    ship(order_id, carrier="An Post", tracking_number="RR1IE")
    ship(order_id, carrier="An Post", tracking_number="RR2IE")
    assert shop.sql("SELECT tracking_number FROM shipment") == [("RR2IE",)]
    assert mails() == ["order_paid", "order_shipped"]
    corrections = "SELECT count(*) FROM journal WHERE what = 'shipment.corrected'"
    assert shop.sql(corrections) == [(1,)]


def test_two_who_ship_at_once_ship_once(order_id: int) -> None:
    shop.at_once(lambda _: ship(order_id, carrier="An Post"), 4)
    assert moves() == [("shipped",)]
    assert mails() == ["order_paid", "order_shipped"]


@pytest.mark.parametrize("flag", ["disputed", "stock_shortage", "needs_review"])
def test_what_is_in_doubt_is_not_shipped(order_id: int, flag: str) -> None:
    with shop.database() as session:
        setattr(orders.lock(session, order_id), flag, True)
    with pytest.raises(NotShippableError, match=f"order_{flag}"):
        ship(order_id)
    assert (moves(), mails()) == ([], ["order_paid"])
    with shop.database() as session:
        setattr(orders.lock(session, order_id), flag, False)


def test_what_is_not_paid_is_not_shipped_and_not_delivered(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)
    with pytest.raises(NotShippableError, match="not_paid"):
        ship(order["id"])
    with pytest.raises(NotShippableError, match="not_shipped"):
        deliver(order["id"])


def test_a_person_who_has_looked_lets_the_order_go_on(order_id: int) -> None:
    with shop.database() as session:
        order = orders.lock(session, order_id)
        orders.flag_for_review(session, order, who="stripe", why="a warning")
    for _ in range(2):
        with shop.database() as session:
            order_desk.clear_review(session, order_id, who="staff:1", why="I called them")
    ship(order_id)
    said = shop.sql("SELECT who, why FROM journal WHERE what = 'order.reviewed'")
    assert said == [("staff:1", "I called them")]


def found(**wanted: Any) -> list[int]:
    with shop.database() as session:
        return [order.id for order in order_desk.find(session, Filter(**wanted), limit=10)]


@pytest.mark.parametrize("status", ["pending", "paid", "shipped", "delivered", "refunded"])
def test_orders_are_found_by_the_status_that_clients_see(
    client: FlaskClient, order_id: int, status: str
) -> None:
    others = [shop.place(client)["id"] for _ in range(2)]
    if status in ("shipped", "delivered"):
        ship(order_id)
    if status == "delivered":
        deliver(order_id)
    with shop.database() as session:
        order = orders.lock(session, order_id)
        was, order.refunded_minor = order.refunded_minor, 3998 if status == "refunded" else 0
        session.flush()
        assert order.status in (status, "paid")
        ids = [each.id for each in order_desk.find(session, Filter(status=status), limit=10)]
        order.refunded_minor = was
    assert ids == (others[::-1] if status == "pending" else [order_id])


def test_orders_are_found_by_what_people_know_of_them(client: FlaskClient, order_id: int) -> None:
    shop.make_item("VASE", units=1, is_unique=True)
    vase = shop.place(client, sku="VASE", quantity=1, guest_email="Ann@Example.com")
    assert found(sku="VASE") == [vase["id"]]
    assert found(email="ann@example.COM") == [vase["id"]]
    assert found(order_number=vase["order_number"]) == [vase["id"]]
    assert found(needs_review=False) == [vase["id"], order_id]
    assert found(sku="NOTHING") == []
    with shop.database() as session:
        page = order_desk.find(session, Filter(), limit=1, after=vase["id"])
    assert [order.id for order in page] == [order_id]
