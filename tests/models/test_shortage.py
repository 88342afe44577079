"""Paid goods that were gone: taken from stock once they are there, or their money goes back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import catalogue, refund, refunding, shortage
from models.intents import RefundSnapshot
from models.payment import Payment
from models.stock import OutOfStockError
from tests import shop
from tests.telling import expire_unpaid, sent_payment, sound, stock, tell, the_order

SHORT = {**sound("paid"), "stock_shortage": True}


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """The late payment of an order of the last two T-shirts, which somebody else has."""
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    tell(sent_payment(client), "succeeded")
    tell(late, "succeeded")
    assert (the_order(), stock()) == (SHORT, [(0, 0)])
    return late


@pytest.fixture
def order_id(payment_id: int) -> int:
    ((order_id,),) = shop.sql("SELECT order_id FROM payment WHERE id = :id", id=payment_id)
    return int(order_id)


def restock(units: int) -> None:
    with shop.database() as session:
        catalogue.adjust(session, "TSHIRT-BLUE", units, who="staff:1", why="delivered")


def clear(order_id: int) -> None:
    with shop.database() as session:
        shortage.clear(session, order_id, who="staff:1", why="delivered")


def cleared() -> list[tuple[str, str]]:
    return shop.sql("SELECT who, why FROM journal WHERE what = 'order.shortage_cleared'")


def give_back(payment_id: int, amount_minor: int | None, state: Any) -> None:
    """Have the provider say that so much of the payment, or all of it, went back."""
    with shop.database() as session:
        asked: dict[str, Any] = {"amount_minor": amount_minor, "who": "staff:1", "why": "a test"}
        refund_id = refund.request(session, payment_id, **asked).id
        request = refunding.begin(session, refund_id)
        assert request is not None
        said = RefundSnapshot(
            provider_refund_id=f"re_{refund_id}",
            provider_payment_id=session.get_one(Payment, payment_id).provider_payment_id,
            marked_refund_id=refund_id,
            state=state,
            amount_minor=request.amount_minor,
            currency=request.currency,
            created_at=datetime.now(UTC),
        )
        refunding.book(session, payment_id, said, key=request.key)


def test_goods_that_have_come_are_taken_once(order_id: int) -> None:
    restock(5)
    clear(order_id)
    clear(order_id)
    assert (the_order(), stock()) == (sound("paid"), [(3, 0)])
    assert cleared() == [("staff:1", "delivered")]


def test_as_long_as_some_are_missing_none_are_taken(order_id: int) -> None:
    restock(1)
    with pytest.raises(OutOfStockError):
        clear(order_id)
    assert (the_order(), stock(), cleared()) == (SHORT, [(1, 0)], [])


def test_an_order_that_lacks_nothing_takes_nothing(client: FlaskClient) -> None:
    shop.make_item(units=10)
    payment_id = sent_payment(client)
    tell(payment_id, "succeeded")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    clear(order_id)
    assert (stock(), cleared()) == ([(8, 0)], [])


@pytest.mark.parametrize(
    ("amount_minor", "state", "order"),
    [
        (None, "succeeded", sound("paid")),
        (None, "pending", SHORT),
        (1999, "succeeded", SHORT),
    ],
)
def test_a_shortage_is_over_when_all_of_the_money_went_back(
    payment_id: int, amount_minor: int | None, state: str, order: dict[str, Any]
) -> None:
    give_back(payment_id, amount_minor, state)
    assert the_order() == order
    assert cleared() == ([] if order == SHORT else [("stripe", "all of its money went back")])
    assert stock() == [(0, 0)]
