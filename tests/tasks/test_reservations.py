"""The sweep: every overdue order begins to close, whatever becomes of the others."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import closing
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
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item(units=10)
    stubborn, *_others = [shop.place(client, quantity=1)["id"] for _ in range(3)]
    expire: Callable[[Any, int], None] = closing.expire

    def fail_for_one(session: Any, order_id: int) -> None:
        if order_id == stubborn:
            raise RuntimeError("this one is stuck")
        expire(session, order_id)

    shop.let_pass(minutes=16)
    with monkeypatch.context() as stuck:
        stuck.setattr(closing, "expire", fail_for_one)
        shop.sweep()
    assert shop.sql("SELECT state FROM orders ORDER BY id") == [
        ("pending",),
        ("expired",),
        ("expired",),
    ]
    assert shop.sql("SELECT DISTINCT state FROM job") == [("done",)]

    shop.let_pass(minutes=1)
    shop.sweep()
    assert shop.sql("SELECT DISTINCT state FROM orders") == [("expired",)]
    assert stock() == [(10, 0)]
