"""Placing: what is handed back without being read is what is stored."""

from typing import Any

import pytest

from models import journal, orders
from models.placing import place
from models.storing import NewLine, NewOrder
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


def agree(mine: Any, theirs: Any) -> bool:
    """Whether whatever `mine` says of itself is what the row says."""
    return all(
        getattr(theirs, name) == value
        for name, value in mine._asdict().items()
        if name not in ("lines", "addresses", "timeline")
    )


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
        stored = orders.load(session, placed.id)
        told = journal.timeline(session, placed.id)

        assert stored is not None
        assert agree(placed, stored)
        for mine, theirs in (
            (placed.lines, stored.lines),
            (placed.addresses, stored.addresses),
            (placed.timeline, told),
        ):
            assert len(mine) == len(theirs)
            assert all(agree(*each) for each in zip(mine, theirs, strict=True))
