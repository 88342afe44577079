"""Goods that unpaid orders hold, from the command line."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from models import closing
from tests import shop
from tests.telling import sent_payment, stock

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *words: app.test_cli_runner().invoke(
        args=["reservations", *(str(word) for word in words)]
    )


def listed(run: Run, *words: str) -> list[int]:
    return [each["order_id"] for each in json.loads(run("list", "--json", *words).stdout)]


def test_what_ends_first_is_listed_first_and_the_sweep_closes_it(
    run: Run, client: FlaskClient
) -> None:
    shop.make_item(units=10)
    first = shop.place(client, quantity=3)
    shop.let_pass(minutes=10)
    second = shop.place(client)
    assert listed(run) == [first["id"], second["id"]]
    assert listed(run, "--overdue") == []
    shop.let_pass(minutes=6)
    assert listed(run, "--overdue") == [first["id"]]
    _head, line, _other = run("list").stdout.splitlines()
    assert line.split()[:2] == [str(first["id"]), first["order_number"]]
    assert line.endswith("3")

    assert run("sweep").stdout.startswith("1 orders were closed")
    assert (listed(run), stock()) == ([second["id"]], [(10, 2)])


def test_an_order_is_given_more_time(run: Run, client: FlaskClient) -> None:
    shop.make_item(units=10)
    order_id = shop.place(client)["id"]
    shop.let_pass(minutes=14)
    assert run("extend", order_id, "--minutes", 30, "--why", "on the phone").exit_code == 0
    shop.let_pass(minutes=30)
    run("sweep")
    assert stock() == [(10, 2)]

    shop.let_pass(minutes=2)  # over, but not swept: it gets the whole of what it is given
    run("extend", order_id, "--minutes", 30, "--why", "still on the phone")
    shop.let_pass(minutes=29)
    run("sweep")
    assert stock() == [(10, 2)]
    shop.let_pass(minutes=2)
    run("sweep")
    assert stock() == [(10, 0)]
    said = "SELECT who, why FROM journal WHERE what = 'order.extended' ORDER BY id"
    assert shop.sql(said) == [("cli", "on the phone"), ("cli", "still on the phone")]


def test_what_has_ended_or_is_about_to_gets_no_more_time(run: Run, client: FlaskClient) -> None:
    shop.make_item(units=10)
    ended = shop.place(client)["id"]
    sent_payment(client)
    ((closed,),) = shop.sql("SELECT max(id) FROM orders")
    for order_id in (ended, closed):
        with shop.database() as session:
            closing.cancel(session, order_id, who="guest", why="no more")
    for order_id, said in ((ended, "is cancelled"), (closed, "is being closed"), (9**9, "is none")):
        refused = run("extend", order_id, "--minutes", 5, "--why", "x")
        assert refused.exit_code == 1
        assert said in refused.stderr
