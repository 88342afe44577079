"""What the provider would refuse to charge is refused at once, with what would do."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import placing
from models.storing import NewLine, NewOrder
from models.tokens import order_token
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.web.tiny import problem


def create(client: FlaskClient, currency: str, minor: int, price: str) -> Any:
    """The answer to an order of one piece that costs so much."""
    shop.make_item(currency=currency, unit_price_minor=minor)
    body = shop.order_body(currency=currency, items=[shop.line(quantity=1, unit_price=price)])
    return client.post("/orders/create/", json=body)


@pytest.mark.parametrize(
    ("currency", "minor", "price"),
    [
        ("ISK", 999_999, "999999"),
        ("UGX", 999_999, "999999"),
        ("MGA", 9_999_999_900, "99999999.00"),
        ("MGA", 10_000, "100.00"),
        ("KWD", 99_999_990, "99999.990"),
        ("HUF", 17_501, "175.01"),
        ("TWD", 1_999, "19.99"),
        ("JPY", 99_999_999, "99999999"),
    ],
)
def test_what_stripe_charges_is_taken(
    client: FlaskClient, stripe_sandbox: StripeProcess, currency: str, minor: int, price: str
) -> None:
    answer = create(client, currency, minor, price)

    assert answer.status_code == 201, answer.text
    assert answer.get_json()["total"] == price
    assert shop.open_payment(client, answer.get_json())["amount"] == price


@pytest.mark.parametrize(
    ("currency", "minor", "price", "said"),
    [
        ("ISK", 1_000_000, "1000000", {"code": "amount_too_large", "maximum": "999999"}),
        ("UGX", 1_000_000, "1000000", {"code": "amount_too_large", "maximum": "999999"}),
        (
            "MGA",
            10_000_000_000,
            "100000000",
            {"code": "amount_too_large", "maximum": "99999999.00"},
        ),
        ("MGA", 1_001, "10.01", {"code": "amount_too_fine", "step": "1.00"}),
        ("MGA", 99, "0.99", {"code": "amount_too_small", "minimum": "1.00"}),
        ("KWD", 1_234, "1.234", {"code": "amount_too_fine", "step": "0.010"}),
        ("BHD", 1_234, "1.234", {"code": "amount_too_fine", "step": "0.010"}),
        ("HUF", 17_499, "174.99", {"code": "amount_too_small", "minimum": "175.00"}),
    ],
)
def test_what_stripe_does_not_charge_is_not_ordered(
    client: FlaskClient, currency: str, minor: int, price: str, said: Mapping[str, str]
) -> None:
    answer = create(client, currency, minor, price)

    assert problem(answer)[0] == 422
    assert said.items() <= shop.body_of(answer).items()
    assert shop.sql("SELECT held FROM stock_item") == [(0,)]


def test_a_payment_of_what_this_provider_does_not_charge_is_not_started(
    client: FlaskClient,
) -> None:
    shop.make_item(currency="KWD", unit_price_minor=1_234)
    line = NewLine(sku="TSHIRT-BLUE", unit_price_minor=1_234, quantity=1)
    new = NewOrder(
        email="guest@example.com",
        currency="KWD",
        lines=[line],
        addresses={"shipping": shop.ADDRESS},
    )
    with shop.database() as session:
        order_id = placing.place(session, new, chargeable=range(10**6), who="test").id
    known = {"id": order_id, "token": order_token(order_id, 1)}

    answer = shop.start(client, known)

    assert problem(answer) == (422, "amount_too_fine")
    assert shop.sql("SELECT * FROM payment") == []


def test_a_refund_has_the_steps_that_the_charge_had(
    client: FlaskClient, stripe_sandbox: StripeProcess, sign_in: Any
) -> None:
    order = create(client, "KWD", 2_470, "2.470").get_json()
    payment = shop.open_payment(client, order)
    shop.pay(stripe_sandbox, payment["client_secret"])
    events = shop.events_of(stripe_sandbox, payment["client_secret"])
    shop.deliver(client, events["payment_intent.succeeded"])
    drain()
    clerk = sign_in("clerk")

    def refund(amount: str) -> Any:
        path = f"/orders/refund/{payment['payment_id']}/"
        return clerk.post(path, json={"amount": amount}, headers={"Idempotency-Key": amount})

    refused = refund("1.234")
    assert problem(refused) == (422, "amount_too_fine")
    assert shop.body_of(refused)["step"] == "0.010"
    assert refund("1.230").status_code == 202
