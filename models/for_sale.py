"""What is for sale, as a buyer finds it: read at once, or locked first and then read."""

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
_FIND = f"""
SELECT id, sku, title, unit_price_minor, currency, status, is_unique, {_AVAILABLE}
FROM stock_item WHERE sku = ANY (%(skus)s) AND status <> 'archived'
"""  # noqa: S608
_LOOK = Statement(_FIND)
_LOCK = Statement(f"{_FIND} ORDER BY id FOR NO KEY UPDATE")
_LEFT = Statement(f"SELECT sku, {_AVAILABLE} FROM stock_item WHERE id = ANY (%(ids)s) ORDER BY sku")  # noqa: S608


def find(session: Session, skus: Sequence[str]) -> dict[str, ForSale]:
    """The items of these SKUs that are for sale, by SKU."""
    return _by_sku(_LOOK.rows(session, {"skus": list(skus)}))


def find_locked(session: Session, skus: Sequence[str]) -> dict[str, ForSale]:
    """The same, locked first in the order that all locks are taken in, and then looked at."""
    return _by_sku(_LOCK.rows(session, {"skus": list(skus)}))


def left(session: Session, item_ids: Sequence[int]) -> dict[str, int]:
    """What of these items, archived or not, an order placed now could hold, by SKU."""
    return dict(_LEFT.rows(session, {"ids": list(item_ids)}))


def _by_sku(found: Iterable[tuple[Any, ...]]) -> dict[str, ForSale]:
    return {item.sku: item for item in map(ForSale._make, found)}
