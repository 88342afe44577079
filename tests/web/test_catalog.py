"""The catalogue shows what is for sale, and how much of it is left now."""

import pytest
from flask.testing import FlaskClient

from tests import shop
from tests.web.tiny import problem


def test_the_catalogue_lists_everything_by_title_with_what_is_left(client: FlaskClient) -> None:
    shop.make_item("VASE", 1, title="Vase", is_unique=True)
    shop.make_item(units=10)
    shop.make_item("TEA", 3, title="Tea", currency="JPY", unit_price_minor=500)
    shop.place(client, quantity=4)

    listed = shop.body_of(client.get("/catalog/"))["data"]

    assert [(item["title"], item["available"]) for item in listed] == [
        ("Blue T-shirt", 6),
        ("Tea", 3),
        ("Vase", 1),
    ]
    assert listed[1] == {
        "sku": "TEA",
        "title": "Tea",
        "unit_price": "500",
        "currency": "JPY",
        "available": 3,
        "is_unique": False,
        "status": "available",
    }


def test_a_piece_that_someone_is_buying_is_shown_as_reserved(client: FlaskClient) -> None:
    shop.make_item(units=1, is_unique=True)
    shop.place(client, quantity=1)

    shown = client.get("/catalog/TSHIRT-BLUE/").get_json()

    assert (shown["available"], shown["status"], shown["is_unique"]) == (0, "reserved", True)


@pytest.mark.parametrize("sku", ["NOSUCH", "tshirt-blue", "%00", "%ff", "x" * 1000])
def test_what_is_not_there_is_not_found(client: FlaskClient, sku: str) -> None:
    shop.make_item()

    assert problem(client.get(f"/catalog/{sku}/")) == (404, "not_found")


def test_what_is_archived_is_neither_listed_nor_found_nor_sold(client: FlaskClient) -> None:
    shop.make_item()
    with shop.database() as session:
        session.connection().exec_driver_sql("UPDATE stock_item SET status = 'archived'")

    assert client.get("/catalog/").get_json() == {"data": [], "has_more": False}
    assert client.get("/catalog/TSHIRT-BLUE/").status_code == 404
    refused = client.post("/orders/create/", json=shop.order_body())
    assert problem(refused) == (422, "unknown_sku")


def test_an_empty_catalogue_is_an_empty_list(client: FlaskClient) -> None:
    assert client.get("/catalog/").get_json() == {"data": [], "has_more": False}
