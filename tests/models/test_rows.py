"""Rows read, added and changed by the driver are what the ORM would have made of them."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

import settings
from models import rows, webhook_event
from models.base import Base
from models.job import Job
from models.orders import Address, Order, OrderItem
from models.payment import Payment
from models.rows import Rows
from models.session import now, transaction
from models.webhook_event import WebhookEvent
from tests import shop

_KINDS = (Order, OrderItem, Address, Payment, Job, WebhookEvent)
_FIND = Rows(Order, "WHERE id = %(order_id)s")


@pytest.fixture
def order_id(app: Flask, client: FlaskClient) -> Iterator[int]:
    with app.app_context():
        shop.make_item()
    order = shop.place(client)
    assert shop.start(client, order).status_code == 202
    with app.app_context():
        yield order["id"]


def _as_the_orm_reads(kind: type[Base]) -> list[dict[str, Any]]:
    with transaction() as session:
        return [_values(row) for row in session.scalars(select(kind).order_by("id"))]


def _values(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs}


def _store_an_event() -> None:
    with transaction() as session:
        webhook_event.store(
            session,
            provider="stripe",
            event_id="evt_1",
            type_="a.b",
            ignored_because="it is nothing to us",
            body={"deep": [{"a": None}]},
            occurred_at=datetime.now(UTC),
        )


def test_every_column_reads_as_it_does_by_the_orm(order_id: int) -> None:
    _store_an_event()
    for kind in _KINDS:
        with transaction() as session:
            read = [_values(row) for row in Rows(kind, "ORDER BY id").all(session)]
        assert read
        assert read == _as_the_orm_reads(kind)


def test_a_row_is_the_one_object_of_its_session_brought_up_to_date(order_id: int) -> None:
    with transaction() as session:
        by_orm = session.get_one(Order, order_id)
        shop.sql(
            "UPDATE orders SET email = 'new@example.com' WHERE id = :id RETURNING id", id=order_id
        )
        assert _FIND.one(session, order_id=order_id) is by_orm
        assert by_orm.email == "new@example.com"
    with transaction() as session:
        by_driver = _FIND.one(session, order_id=order_id)
        assert session.get(Order, order_id) is by_driver


def test_what_the_session_has_still_to_write_is_written_first(order_id: int) -> None:
    with transaction() as session:
        session.get_one(Order, order_id).email = "changed@example.com"
        assert _FIND.one(session, order_id=order_id).email == "changed@example.com"
    assert shop.sql("SELECT email FROM orders") == [("changed@example.com",)]


def test_an_object_that_was_read_is_written_like_any_other(order_id: int) -> None:
    with transaction() as session:
        _FIND.one(session, order_id=order_id).needs_review = True
    assert shop.sql("SELECT needs_review FROM orders") == [(True,)]


def test_a_change_is_made_where_its_condition_holds_and_shown(order_id: int) -> None:
    with transaction() as session:
        order = _FIND.one(session, order_id=order_id)
        assert not rows.change(session, order, {"state": "paid"}, needs_review=True)
        assert not order.needs_review
        assert rows.change(
            session, order, {"state": "pending"}, needs_review=True, paid_at=order.expires_at
        )
        assert (order.needs_review, order.paid_at) == (True, order.expires_at)
    assert shop.sql("SELECT needs_review, paid_at = expires_at FROM orders") == [(True, True)]


def test_a_value_may_be_a_term_of_sql(order_id: int) -> None:
    with transaction() as session:
        order = _FIND.one(session, order_id=order_id)
        rows.change(session, order, {}, paid_at=now(), token_version=Order.token_version + 4)
        assert order.paid_at is not None
        assert order.token_version == 5


def test_a_value_that_looks_like_sql_is_a_value(order_id: int) -> None:
    hostile = "'; DROP TABLE orders; -- %(row_id)s"
    with transaction() as session:
        rows.change(session, _FIND.one(session, order_id=order_id), {}, email=hostile)
    assert shop.sql("SELECT email FROM orders") == [(hostile,)]


def test_one_is_one(order_id: int) -> None:
    with transaction() as session:
        assert _FIND.first(session, order_id=0) is None
        with pytest.raises(NoResultFound):
            _FIND.one(session, order_id=0)
        with pytest.raises(MultipleResultsFound):
            Rows(Order, "JOIN (VALUES (1), (2)) AS twice (number) ON true").one(session)


_FIRST_OF_ALL = """
from models.rows import Rows
from models.session import transaction
from models.stock import StockItem
from tasks import database_app

with database_app.app_context(), transaction() as session:
    (item,) = Rows(StockItem, "").all(session)
    item.title = "Read and changed"
"""


@pytest.mark.usefixtures("app")
def test_a_process_may_read_a_row_before_it_has_made_any() -> None:
    shop.make_item()
    command, root = [sys.executable, "-c", _FIRST_OF_ALL], Path(rows.__file__).parents[1]

    subprocess.run(command, cwd=root, env=settings.environment(), check=True)

    assert shop.sql("SELECT title FROM stock_item") == [("Read and changed",)]
