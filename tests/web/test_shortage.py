"""Staff work off shortages over HTTP and from the command line."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import shop
from tests.telling import expire_unpaid, sent_payment, sound, stock, tell, the_order
from tests.web.tiny import problem

SHORT = {**sound("paid"), "stock_shortage": True}


@pytest.fixture
def order_id(client: FlaskClient) -> int:
    """A paid order of the last two T-shirts, which somebody else has."""
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    tell(sent_payment(client), "succeeded")
    tell(late, "succeeded")
    ((order_id,),) = shop.sql("SELECT order_id FROM payment WHERE id = :late", late=late)
    assert the_order() == SHORT
    return int(order_id)


def restock(clerk: FlaskClient) -> None:
    counted = {"stock": 2, "reason": "delivered"}
    assert clerk.post("/catalog/TSHIRT-BLUE/adjust/", json=counted).status_code == 200


def test_staff_take_what_was_missing_once_it_is_there(
    order_id: int, client: FlaskClient, sign_in: Callable[[str], FlaskClient]
) -> None:
    clerk, address, why = sign_in("clerk"), f"/orders/clear-shortage/{order_id}/", {"why": "there"}
    refused = clerk.post(address, json=why)
    assert problem(refused) == (409, "out_of_stock")
    assert shop.body_of(refused)["available"] == {"TSHIRT-BLUE": 0}

    restock(clerk)
    assert problem(client.post(address, json=why)) == (404, "not_found")
    assert the_order() == SHORT
    cleared = shop.body_of(clerk.post(address, json=why))
    assert (cleared["status"], cleared["stock_shortage"]) == ("paid", False)
    assert stock() == [(0, 0)]
    assert problem(clerk.post(f"/orders/clear-shortage/{2**40}/", json=why)) == (404, "not_found")


def test_the_same_from_the_command_line(
    order_id: int, app: Flask, sign_in: Callable[[str], FlaskClient]
) -> None:
    runner = app.test_cli_runner()
    words = ["orders", "clear-shortage", str(order_id), "--why", "there"]
    refused = runner.invoke(args=words)
    assert (refused.exit_code, the_order()) == (1, SHORT)
    assert "TSHIRT-BLUE: 0 left" in refused.stderr

    restock(sign_in("clerk"))
    assert runner.invoke(args=words).stdout == f"order {order_id} has all of its goods.\n"
    assert (the_order(), stock()) == (sound("paid"), [(0, 0)])
    assert runner.invoke(args=[*words[:2], str(2**40), *words[3:]]).exit_code == 1
