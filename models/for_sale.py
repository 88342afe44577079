"""What is for sale, as a buyer finds it: read at a glance, or locked first and then read."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from models.statement import Statement


class ForSale(NamedTuple):
    """An item as a buyer finds it."""

    id: int
    sku: str
    title: str
    unit_price_minor: int
    currency: str
    status: str
    is_unique: bool
    available: int
    """How many units an order placed now could hold."""


_AVAILABLE = "CASE status WHEN 'available' THEN stock - held ELSE 0 END"
# Only names of columns are interpolated, never a value (S608).
FIND = f"""
SELECT id, sku, title, unit_price_minor, currency, status, is_unique, {_AVAILABLE}
FROM stock_item WHERE sku = ANY (%(skus)s) AND status <> 'archived'
"""  # noqa: S608
"""The columns of a `ForSale` for each of `skus` that is for sale."""
_LOCK = Statement(f"{FIND} ORDER BY id FOR NO KEY UPDATE")
_LEFT = Statement(f"SELECT sku, {_AVAILABLE} FROM stock_item WHERE id = ANY (%(ids)s) ORDER BY sku")  # noqa: S608


def find_locked(session: Session, skus: Sequence[str]) -> dict[str, ForSale]:
    """The items of these SKUs that are for sale, by SKU.

    They are locked first, in the order that all locks are taken in, and then looked at.
    """
    return by_sku(_LOCK.rows(session, {"skus": list(skus)}))


def left(session: Session, item_ids: Sequence[int]) -> dict[str, int]:
    """What of these items, archived or not, an order placed now could hold, by SKU."""
    return dict(_LEFT.rows(session, {"ids": list(item_ids)}))


def by_sku(found: Iterable[Sequence[Any]]) -> dict[str, ForSale]:
    """What `FIND` has found."""
    return {item.sku: item for item in map(ForSale._make, found)}
