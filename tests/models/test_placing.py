"""Placing: what is handed back without being read is what is stored."""

from typing import Any

import pytest
from sqlalchemy import inspect

from models import orders
from models.placing import NewLine, NewOrder, place
from tests import shop

pytestmark = pytest.mark.usefixtures("app")

BILLING = {"line1": "9 Lane", "city": "City", "postal_code": "1", "country": "DE"}


def new_order(*lines: tuple[str, int]) -> NewOrder:
    return NewOrder(
        email="guest@example.com",
        currency="EUR",
        lines=[
            NewLine(sku=sku, unit_price_minor=1999, quantity=quantity) for sku, quantity in lines
        ],
        addresses={"shipping": shop.ADDRESS, "billing": BILLING},
        guest_hash=b"guest",
        client_hash=b"client",
    )


def columns(row: Any, *, besides: str = "") -> dict[str, Any]:
    names = inspect(type(row)).columns.keys()
    return {name: getattr(row, name) for name in names if name != besides}


def test_what_placing_hands_back_is_what_it_has_stored() -> None:
    shop.make_item("PRINT", 10)
    shop.make_item("PIECE", 1, is_unique=True)
    with shop.database() as session:
        placed = place(
            session,
            new_order(("PRINT", 2), ("PIECE", 1), ("PRINT", 1)),
            chargeable=range(10**6),
            who="guest",
        )

    with shop.database() as session:
        stored = orders.load(session, placed.order.id)
        told = orders.timeline(session, placed.order.id)

        assert stored is not None
        assert columns(placed.order) == columns(stored)
        for mine, theirs in (
            (placed.order.lines, stored.lines),
            (placed.order.addresses, stored.addresses),
            (placed.timeline, told),
        ):
            assert [columns(row, besides="id") for row in mine] == [
                columns(row, besides="id") for row in theirs
            ]
