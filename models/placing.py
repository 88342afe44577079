"""Placing an order: priced by the catalogue, stored whole, its stock held with it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

import settings
from models import catalogue, journal, stock
from models.orders import Address, Order, OrderItem
from models.session import now
from models.tokens import new_order_number


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    sku: str
    unit_price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a buyer asks for; `addresses` by kind, `shipping` and perhaps `billing`."""

    email: str
    currency: str
    lines: Sequence[NewLine]
    addresses: Mapping[str, Mapping[str, Any]]
    user_id: int | None = None
    guest_hash: bytes | None = None
    client_hash: bytes | None = None


def place(session: Session, new: NewOrder, *, chargeable: Container[int], who: str) -> Order:
    """Store the whole order and hold its stock, or raise and leave nothing.

    `chargeable` are the totals, in minor units, that can be paid. Raises `UnknownSkuError`,
    `WrongCurrencyError`, `PriceChangedError`, `TotalNotChargeableError` and
    `stock.OutOfStockError`; after any of them the transaction must be rolled back.
    """
    items = catalogue.find(session, [line.sku for line in new.lines])
    _check_lines(new, items)
    total_minor = sum(line.unit_price_minor * line.quantity for line in new.lines)
    if total_minor not in chargeable:
        raise TotalNotChargeableError(total_minor)
    order = Order(
        order_number=new_order_number(),
        user_id=new.user_id,
        email=new.email,
        guest_hash=new.guest_hash,
        client_hash=new.client_hash,
        currency=new.currency,
        total_minor=total_minor,
        expires_at=now() + timedelta(seconds=settings.current().reservation_ttl_seconds),
        lines=[_order_item(line, items[line.sku]) for line in new.lines],
        addresses=[Address(kind=kind, **fields) for kind, fields in new.addresses.items()],
    )
    session.add(order)
    session.flush()
    stock.hold(session, order.id, _summed(new.lines, items), who=who)
    journal.write(session, order, "order.placed", None, "pending", who=who, why="placed")
    return order


def _check_lines(new: NewOrder, items: Mapping[str, stock.StockItem]) -> None:
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


def _order_item(line: NewLine, item: stock.StockItem) -> OrderItem:
    return OrderItem(
        item_id=item.id,
        product_title=item.title,
        product_sku=item.sku,
        product_status=item.status,
        unit_price_minor=item.unit_price_minor,
        quantity=line.quantity,
    )


def _summed(lines: Sequence[NewLine], items: Mapping[str, stock.StockItem]) -> dict[int, int]:
    wanted: dict[int, int] = {}
    for line in lines:
        item_id = items[line.sku].id
        wanted[item_id] = wanted.get(item_id, 0) + line.quantity
    return wanted
