"""Creating an order: whole or not at all, at the catalogue's prices, and never oversold."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from models import placing, stock
from models.storing import NewLine, NewOrder
from tests import shop
from tests.web.tiny import problem

BILLING = {
    "name": "Ann Buyer",
    "line1": "9 Lane",
    "city": "City",
    "postal_code": "1",
    "country": "DE",
}
LEFT_OUT = dict.fromkeys(("name", "line2", "region", "phone"))


def refused(
    client: FlaskClient, body: object, content_type: str = "application/json"
) -> tuple[int, str, Mapping[str, Any]]:
    """Status, code and body of a refusal after which the database is as it was before."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = shop.rows()
    answer = client.post("/orders/create/", data=sent, content_type=content_type)
    assert shop.rows() == before
    return *problem(answer), shop.body_of(answer)


def order_one(app: Flask) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to another guest who wants one unit."""
    client = app.test_client(use_cookies=False)
    body = shop.order_body(quantity=1)
    answer = shop.patiently(lambda: client.post("/orders/create/", json=body))
    return answer.status_code, shop.body_of(answer)


def test_an_order_is_answered_whole(client: FlaskClient) -> None:
    shop.make_item(units=10)

    answer = client.post("/orders/create/", json=shop.order_body(billing_address=BILLING))

    order = shop.body_of(answer)
    made_up = {name: order.pop(name) for name in ("id", "order_number", "token")}
    times = [order.pop("created_at"), order["timeline"][0].pop("at"), order.pop("expires_at")]
    assert answer.status_code == 201
    assert made_up["token"].startswith("ord_")
    assert times == sorted(times)
    assert order == {
        "status": "pending",
        "state": "pending",
        "fulfilment": "none",
        "closing": None,
        "stock_shortage": False,
        "needs_review": False,
        "disputed": False,
        "currency": "EUR",
        "total": "39.98",
        "refunded": "0.00",
        "guest_email": "guest@example.com",
        "paid_at": None,
        "items": [
            {
                "product_title": "Blue T-shirt",
                "product_sku": "TSHIRT-BLUE",
                "unit_price": "19.99",
                "quantity": 2,
                "line_total": "39.98",
                "product_status": "available",
            }
        ],
        "shipping_address": {**LEFT_OUT, **shop.ADDRESS},
        "billing_address": {**LEFT_OUT, **BILLING},
        "shipment": None,
        "payments": [],
        "refunds": [],
        "timeline": [
            {"what": "order.placed", "from": None, "to": "pending", "who": "guest", "why": "placed"}
        ],
    }
    assert shop.sql("SELECT stock, held FROM stock_item") == [(10, 2)]


# Hostile bodies

ORDER = json.dumps(shop.order_body())


def with_line(**changes: Any) -> dict[str, Any]:
    return shop.order_body(items=[shop.line(**changes)])


def with_address(**changes: Any) -> dict[str, Any]:
    return shop.order_body(shipping_address={**shop.ADDRESS, **changes})


HOSTILE: dict[str, tuple[object, int, str]] = {
    "malformed": (ORDER[:-1].encode(), 400, "malformed_json"),
    "deeply nested": (b'{"a":' * 10_000, 400, "malformed_json"),
    "NaN": (ORDER.replace("19.99", "NaN").encode(), 400, "malformed_json"),
    "a name twice": (ORDER.replace("{", '{"currency": "USD",', 1).encode(), 400, "malformed_json"),
    "not UTF-8": (ORDER.encode("utf-16"), 400, "malformed_json"),
    "an array": ([], 400, "invalid_body"),
    "an unknown field": (shop.order_body(coupon="x"), 400, "unknown_field"),
    "an unknown field of a line": (with_line(discount=1), 400, "unknown_field"),
    "an unknown field of an address": (with_address(planet="Mars"), 400, "unknown_field"),
    "nothing": ({}, 400, "missing_field"),
    "no items": (shop.order_body(items=[]), 400, "items_empty"),
    "too many items": (shop.order_body(items=[shop.line()] * 101), 400, "too_many_items"),
    "quantity 0": (with_line(quantity=0), 400, "invalid_quantity"),
    "quantity -1": (with_line(quantity=-1), 400, "invalid_quantity"),
    "quantity 1.5": (with_line(quantity=1.5), 400, "invalid_quantity"),
    "quantity '1'": (with_line(quantity="1"), 400, "invalid_quantity"),
    "quantity true": (with_line(quantity=True), 400, "invalid_quantity"),
    "quantity 10^30": (with_line(quantity=10**30), 400, "invalid_quantity"),
    "a negative price": (with_line(unit_price=-1), 400, "invalid_price"),
    "a price of text": (with_line(unit_price="NaN"), 400, "invalid_price"),
    "a price too fine": (with_line(unit_price="19.999"), 400, "invalid_price"),
    "a wrong price": (with_line(unit_price=19.98), 409, "price_changed"),
    "a price of nothing": (with_line(unit_price=0), 409, "price_changed"),
    "a price of billions": (with_line(unit_price=999_999_999_999.99), 409, "price_changed"),
    "an unknown SKU": (with_line(sku="NOSUCH"), 422, "unknown_sku"),
    "another currency": (shop.order_body(currency="USD"), 422, "wrong_currency"),
    "no currency of this world": (shop.order_body(currency="eur"), 400, "unknown_currency"),
    "a NUL in the SKU": (with_line(sku="TSHIRT\0"), 400, "invalid_field"),
    "a NUL in the title": (with_line(product_title="a\0b"), 400, "invalid_field"),
    "a NUL in the city": (with_address(city="\0"), 400, "invalid_field"),
    "a NUL in the e-mail": (shop.order_body(guest_email="a\0@b.de"), 400, "invalid_email"),
    "an endless SKU": (with_line(sku="x" * 65), 400, "invalid_field"),
    "an endless street": (with_address(line1="x" * 201), 400, "invalid_field"),
    "an endless e-mail": (shop.order_body(guest_email="x" * 250 + "@b.de"), 400, "invalid_email"),
    "no such country": (with_address(country="ZZ"), 400, "unknown_country"),
    "too large": (shop.order_body(x="x" * 65_536), 413, "body_too_large"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_gets_its_code_and_writes_nothing(client: FlaskClient, name: str) -> None:
    shop.make_item()
    body, status, code = HOSTILE[name]

    assert refused(client, body)[:2] == (status, code)


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_what_is_not_json_is_refused_kindly_and_writes_nothing(
    client: FlaskClient, media_type: str
) -> None:
    shop.make_item()

    status, code, body = refused(client, ORDER.encode(), media_type)

    assert (status, code) == (415, "unsupported_media_type")
    assert "Content-Type: application/json" in body["hint"]


def test_a_guest_must_leave_an_address(client: FlaskClient) -> None:
    shop.make_item()
    body = shop.order_body()
    del body["guest_email"]

    assert refused(client, body)[:2] == (400, "guest_email_required")


# Prices and totals


def test_changed_prices_are_all_told(client: FlaskClient) -> None:
    for sku, price in {"A": 2100, "B": 1999, "C": 5}.items():
        shop.make_item(sku, unit_price_minor=price)

    *_, body = refused(client, shop.order_body(items=[shop.line(sku) for sku in "ABC"]))

    assert (body["code"], body["prices"]) == ("price_changed", {"A": "21.00", "C": "0.05"})


def test_unknown_skus_and_foreign_currencies_are_all_named(client: FlaskClient) -> None:
    shop.make_item("A")
    shop.make_item("B", currency="USD")
    lines = [shop.line(sku) for sku in ("A", "B", "Y", "X", "Y")]

    *_, unknown = refused(client, shop.order_body(items=lines))
    *_, foreign = refused(client, shop.order_body(items=lines[:2]))

    assert (unknown["code"], unknown["skus"]) == ("unknown_sku", ["X", "Y"])
    assert (foreign["code"], foreign["skus"]) == ("wrong_currency", ["B"])


@pytest.mark.parametrize(
    ("minor", "price", "code", "limit"),
    [
        (49, "0.49", "amount_too_small", {"minimum": "0.50"}),
        (100_000_000, "1000000", "amount_too_large", {"maximum": "999999.99"}),
    ],
)
def test_a_total_that_no_provider_charges_is_refused_with_the_limit(
    client: FlaskClient, minor: int, price: str, code: str, limit: Mapping[str, str]
) -> None:
    shop.make_item(unit_price_minor=minor)

    status, found, body = refused(client, with_line(quantity=1, unit_price=price))

    assert (status, found) == (422, code)
    assert limit.items() <= body.items()


@pytest.mark.parametrize(("minor", "price"), [(50, "0.50"), (99_999_999, "999999.99")])
def test_a_total_at_the_limit_is_taken(client: FlaskClient, minor: int, price: str) -> None:
    shop.make_item(unit_price_minor=minor)

    assert shop.place(client, items=[shop.line(quantity=1, unit_price=price)])["total"] == price


def test_an_order_of_nothing_but_gifts_is_too_small(client: FlaskClient) -> None:
    shop.make_item(unit_price_minor=0)

    assert refused(client, with_line(unit_price=0))[:2] == (422, "amount_too_small")


@pytest.mark.parametrize(
    ("currency", "minor", "price", "total"),
    [("JPY", 500, 500, "1000"), ("KWD", 1235, "1.235", "2.470")],
)
def test_money_has_the_decimals_of_its_currency(
    client: FlaskClient, currency: str, minor: int, price: object, total: str
) -> None:
    shop.make_item(currency=currency, unit_price_minor=minor)

    order = shop.place(client, currency=currency, items=[shop.line(unit_price=price)])

    assert (order["items"][0]["unit_price"], order["total"]) == (str(price), total)
    assert shop.sql("SELECT total_minor FROM orders") == [(2 * minor,)]


@pytest.mark.parametrize(("currency", "price"), [("JPY", "500.5"), ("KWD", "1.2345")])
def test_more_decimals_than_the_currency_has_are_refused(
    client: FlaskClient, currency: str, price: str
) -> None:
    body = {**with_line(unit_price=price), "currency": currency}

    assert refused(client, body)[:2] == (400, "invalid_price")


# Stock


def test_lines_of_one_sku_are_summed_before_the_check(client: FlaskClient) -> None:
    shop.make_item(units=3)

    *_, body = refused(client, shop.order_body(items=[shop.line(), shop.line()]))
    order = shop.place(client, items=[shop.line(), shop.line(quantity=1)])

    assert (body["code"], body["available"]) == ("out_of_stock", {"TSHIRT-BLUE": 3})
    assert [item["quantity"] for item in order["items"]] == [2, 1]
    assert shop.sql("SELECT quantity FROM reservation") == [(3,)]


def test_out_of_stock_names_what_is_short_and_what_is_left(client: FlaskClient) -> None:
    for sku, units in {"A": 1, "B": 5, "C": 0}.items():
        shop.make_item(sku, units)

    *_, body = refused(client, shop.order_body(items=[shop.line(sku) for sku in "ABC"]))

    assert (body["code"], body["available"]) == ("out_of_stock", {"A": 1, "C": 0})


def test_what_is_left_is_told_as_it_is_after_waiting_for_another_buyer(app: Flask) -> None:
    shop.make_item(units=5)
    rest = NewOrder(
        email="first@example.com",
        currency="EUR",
        lines=[NewLine(sku="TSHIRT-BLUE", unit_price_minor=1999, quantity=5)],
        addresses={"shipping": shop.ADDRESS},
    )

    with ThreadPoolExecutor(1) as pool:
        with shop.database() as session:
            placing.place(session, rest, chargeable=range(10**6), who="test")
            late = pool.submit(order_one, app)
            shop.await_that(
                lambda: session.scalar(
                    text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                )
            )
        status, body = late.result()

    assert (status, body["available"]) == (409, {"TSHIRT-BLUE": 0})


def test_who_comes_too_late_waits_for_nobody(client: FlaskClient) -> None:
    item_id = shop.make_item(units=1)
    shop.place(client, items=[shop.line(quantity=1)])

    with shop.database() as session:
        stock.lock(session, [item_id])
        answer = client.post("/orders/create/", json=shop.order_body(quantity=1))

    assert problem(answer) == (409, "out_of_stock")


def test_a_piece_has_one_buyer(client: FlaskClient) -> None:
    shop.make_item(units=1, is_unique=True)

    first = shop.place(client, quantity=1)
    *_, second = refused(client, shop.order_body(quantity=1))

    assert first["items"][0]["product_status"] == "available"
    assert (second["code"], second["available"]) == ("out_of_stock", {"TSHIRT-BLUE": 0})
    assert shop.sql("SELECT status FROM stock_item") == [("reserved",)]


# Crowds


def test_thirty_buyers_of_five_units_get_exactly_five(app: Flask) -> None:
    shop.make_item(units=5)

    answers = shop.at_once(lambda _: order_one(app), 30)

    assert sorted(status for status, _ in answers) == [201] * 5 + [409] * 25
    left = [body["available"] for status, body in answers if status == 409]
    assert left == [{"TSHIRT-BLUE": 0}] * 25
    assert shop.sql("SELECT stock, held FROM stock_item") == [(5, 5)]
    assert shop.rows()["orders"] == 5


@pytest.fixture
def naive_hold(app: Flask) -> Iterator[Callable[[int], bool]]:
    """A hold as it must not be: it reads what is free, and then writes what will be left."""
    everybody_has_read = threading.Barrier(30)

    def hold(_number: int) -> bool:
        ((free,),) = shop.sql("SELECT free FROM naive_stock")
        everybody_has_read.wait(timeout=20)
        if free == 0:
            return False
        with shop.database() as session:
            session.execute(text("UPDATE naive_stock SET free = :left"), {"left": free - 1})
        return True

    with shop.database() as session:
        session.execute(text("CREATE TABLE naive_stock AS SELECT 5 AS free"))
    yield hold
    with shop.database() as session:
        session.execute(text("DROP TABLE naive_stock"))


def test_the_same_crowd_oversells_what_is_read_before_it_is_written(
    naive_hold: Callable[[int], bool],
) -> None:
    assert sum(shop.at_once(naive_hold, 30)) > 5


def test_baskets_in_opposite_order_never_deadlock(app: Flask) -> None:
    for sku in "AB":
        shop.make_item(sku, units=1000)

    def buy(number: int) -> list[int]:
        body = shop.order_body(items=[shop.line(sku, 1) for sku in ("AB" if number % 2 else "BA")])
        client = app.test_client(use_cookies=False)
        return [client.post("/orders/create/", json=body).status_code for _ in range(5)]

    assert shop.at_once(buy, 8) == [[201] * 5] * 8
    assert shop.sql("SELECT held FROM stock_item") == [(40,), (40,)]


def test_thirty_buyers_of_a_piece_leave_one_with_it(app: Flask) -> None:
    shop.make_item(units=1, is_unique=True)

    answers = [
        (status, body.get("code")) for status, body in shop.at_once(lambda _: order_one(app), 30)
    ]

    assert answers.count((201, None)) == 1
    assert set(answers) <= {(201, None), (409, "being_bought"), (409, "out_of_stock")}
    assert shop.rows()["orders"] == 1
