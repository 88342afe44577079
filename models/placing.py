"""Placing an order: priced by the catalogue, stored whole, its stock held with it.

What is wanted is judged twice: at a glance, so that whoever cannot have it waits for no lock of
those who can, and once more under the locks, which is what counts (docs/adr/0022).
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from models import for_sale, stock, storing
from models.for_sale import ForSale
from models.idempotency import NO_KEY, Kept
from models.session import now
from models.statement import Statement
from models.storing import NewOrder, Placed

# Only the clock and a query of ours are interpolated, never a value (S608).
_GLANCE = Statement(f"""
SELECT found.*, (
    SELECT count(*) FROM orders
    WHERE client_hash = %(client_hash)s::bytea AND state = 'pending' AND expires_at > {now()})
FROM ({for_sale.FIND}) AS found
""")  # noqa: S608


class Glance(NamedTuple):
    """What a buyer finds, as it is at this moment."""

    items: Mapping[str, ForSale]
    """What is for sale of what they want, by SKU."""
    unpaid: int
    """How many orders of theirs hold goods and are not paid; 0 if nothing is for sale."""


class UnknownSkuError(Exception):
    """No such item is for sale; `skus` names them."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(f"unknown SKUs: {', '.join(skus)}")
        self.skus = list(skus)


class WrongCurrencyError(Exception):
    """The items of `skus` are not sold in the order's currency."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(f"not sold in that currency: {', '.join(skus)}")
        self.skus = list(skus)


class PriceChangedError(Exception):
    """The catalogue's prices differ from the buyer's; `prices` are the true ones by SKU."""

    def __init__(self, prices: Mapping[str, int]) -> None:
        super().__init__(f"prices changed: {', '.join(prices)}")
        self.prices = dict(prices)


class TotalNotChargeableError(Exception):
    """`total_minor` is not an amount that a provider charges."""

    def __init__(self, total_minor: int) -> None:
        super().__init__(f"nobody charges {total_minor}")
        self.total_minor = total_minor


def glance(session: Session, new: NewOrder) -> Glance:
    """What the buyer finds before anything is locked."""
    found = _GLANCE.rows(session, {"skus": _skus(new), "client_hash": new.client_hash})
    unpaid = found[0][-1] if found else 0
    return Glance(for_sale.by_sku(row[:-1] for row in found), unpaid)


def check(new: NewOrder, items: Mapping[str, ForSale], *, chargeable: Container[int]) -> None:
    """Raise whatever `place` would if these were the items.

    `chargeable` are the totals, in minor units, that can be paid.
    """
    _check_lines(new, items)
    if new.total_minor not in chargeable:
        raise TotalNotChargeableError(new.total_minor)
    wanted = storing.summed(new.lines, items)
    short = sorted(item.id for item in items.values() if item.available < wanted[item.id])
    if short:
        raise stock.OutOfStockError(short)


def place(
    session: Session,
    new: NewOrder,
    *,
    chargeable: Container[int],
    who: str,
    once: Kept = NO_KEY,
) -> Placed:
    """Store the whole order and hold its stock, or raise and leave nothing.

    `chargeable` are the totals, in minor units, that can be paid; `once` is what is kept of the
    request's key. Raises `UnknownSkuError`, `WrongCurrencyError`, `PriceChangedError`,
    `TotalNotChargeableError` and `stock.OutOfStockError`; after any of them the transaction must
    be rolled back.
    """
    items = for_sale.find_locked(session, _skus(new))
    check(new, items, chargeable=chargeable)
    return storing.store(session, new, items, who=who, once=once)


def _skus(new: NewOrder) -> list[str]:
    return [line.sku for line in new.lines]


def _check_lines(new: NewOrder, items: Mapping[str, ForSale]) -> None:
    if unknown := sorted({line.sku for line in new.lines} - items.keys()):
        raise UnknownSkuError(unknown)
    if foreign := sorted(sku for sku, item in items.items() if item.currency != new.currency):
        raise WrongCurrencyError(foreign)
    true_prices = {
        line.sku: items[line.sku].unit_price_minor
        for line in new.lines
        if line.unit_price_minor != items[line.sku].unit_price_minor
    }
    if true_prices:
        raise PriceChangedError(true_prices)
