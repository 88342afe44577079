"""Placing an order: priced by the catalogue, stored whole, its stock held with it.

What is wanted is judged twice: at a glance, so that whoever cannot have it waits for no lock of
those who can, and once more under the locks, which is what counts (docs/adr/0022).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

import settings
from models import for_sale, stock
from models.for_sale import ForSale
from models.journal import JournalEntry
from models.orders import Address, Order, OrderItem
from models.session import now
from models.statement import Statement
from models.tokens import new_order_number

_LINE = {
    "item_id": "bigint",
    "product_title": "text",
    "product_sku": "text",
    "product_status": "text",
    "unit_price_minor": "bigint",
    "quantity": "bigint",
}
_ADDRESS = ("kind", "name", "line1", "line2", "city", "region", "postal_code", "country", "phone")
_LINES = ", ".join(f"%({column})s::{kind}[]" for column, kind in _LINE.items())
_ADDRESSES = ", ".join(f"%({column})s::text[]" for column in _ADDRESS)
# Only the clock and names of columns are interpolated, never a value (S608).
_STORE = Statement(f"""
WITH placed AS (
    INSERT INTO orders (
        order_number, user_id, email, guest_hash, client_hash, token_version, currency,
        total_minor, state, fulfilment, stock_shortage, needs_review, disputed, is_extended,
        expires_at, created_at)
    SELECT %(order_number)s, %(user_id)s::bigint, %(email)s, %(guest_hash)s::bytea,
        %(client_hash)s::bytea, 1, %(currency)s, %(total_minor)s, 'pending', 'none', false, false,
        false, false, at + %(time_to_pay)s, at
    FROM (SELECT {now()}) AS clock (at)
    RETURNING id, created_at, expires_at
), lined AS (
    INSERT INTO order_item (order_id, {", ".join(_LINE)})
    SELECT id, {", ".join(_LINE)}
    FROM placed, unnest({_LINES}) WITH ORDINALITY AS line ({", ".join(_LINE)}, position)
    ORDER BY position
), addressed AS (
    INSERT INTO address (order_id, {", ".join(_ADDRESS)})
    SELECT id, {", ".join(_ADDRESS)}
    FROM placed, unnest({_ADDRESSES}) WITH ORDINALITY AS given ({", ".join(_ADDRESS)}, position)
    ORDER BY position
), noted AS (
    INSERT INTO journal (order_id, subject, subject_id, what, to_state, who, why, at)
    SELECT id, 'orders', id, 'order.placed', 'pending', %(who)s, 'placed', created_at FROM placed
)
SELECT id, created_at, expires_at FROM placed
""")  # noqa: S608


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


class Placed(NamedTuple):
    """An order as it has just been stored, and its journal; rows of no session."""

    order: Order
    timeline: Sequence[JournalEntry]


def glance(session: Session, new: NewOrder) -> Mapping[str, ForSale]:
    """What is for sale of what the buyer wants, by SKU, as it is at this moment."""
    return for_sale.find(session, _skus(new))


def check(new: NewOrder, items: Mapping[str, ForSale], *, chargeable: Container[int]) -> None:
    """Raise whatever `place` would if these were the items.

    `chargeable` are the totals, in minor units, that can be paid.
    """
    _check_lines(new, items)
    if _total_minor(new) not in chargeable:
        raise TotalNotChargeableError(_total_minor(new))
    wanted = _summed(new.lines, items)
    short = sorted(item.id for item in items.values() if item.available < wanted[item.id])
    if short:
        raise stock.OutOfStockError(short)


def place(session: Session, new: NewOrder, *, chargeable: Container[int], who: str) -> Placed:
    """Store the whole order and hold its stock, or raise and leave nothing.

    `chargeable` are the totals, in minor units, that can be paid. Raises `UnknownSkuError`,
    `WrongCurrencyError`, `PriceChangedError`, `TotalNotChargeableError` and
    `stock.OutOfStockError`; after any of them the transaction must be rolled back.
    """
    items = for_sale.find_locked(session, _skus(new))
    check(new, items, chargeable=chargeable)
    placed = _store(session, new, items, who)
    stock.hold_locked(session, placed.order.id, _summed(new.lines, items), who=who)
    return placed


def _skus(new: NewOrder) -> list[str]:
    return [line.sku for line in new.lines]


def _total_minor(new: NewOrder) -> int:
    return sum(line.unit_price_minor * line.quantity for line in new.lines)


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


def _store(session: Session, new: NewOrder, items: Mapping[str, ForSale], who: str) -> Placed:
    """Write the order, its lines, its addresses and its first line of the journal."""
    lines = [_order_item(line, items[line.sku]) for line in new.lines]
    addresses = [{"kind": kind, **fields} for kind, fields in new.addresses.items()]
    order = {
        "order_number": new_order_number(),
        "user_id": new.user_id,
        "email": new.email,
        "guest_hash": new.guest_hash,
        "client_hash": new.client_hash,
        "currency": new.currency,
        "total_minor": _total_minor(new),
    }
    columns = {column: [line[column] for line in lines] for column in _LINE}
    columns |= {column: [given.get(column) for given in addresses] for column in _ADDRESS}
    time_to_pay = timedelta(seconds=settings.current().reservation_ttl_seconds)
    values = {**order, **columns, "who": who, "time_to_pay": time_to_pay}
    order_id, created_at, expires_at = _STORE.row(session, values) or ()
    times = {"created_at": created_at, "expires_at": expires_at}
    return Placed(
        _in_memory({"id": order_id, **order, **times}, lines, addresses),
        [_first_entry(order_id, who, created_at)],
    )


def _in_memory(
    order: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    addresses: Sequence[Mapping[str, Any]],
) -> Order:
    """The rows that `_STORE` has written, without asking for them."""
    return Order(
        **order,
        token_version=1,
        state="pending",
        fulfilment="none",
        stock_shortage=False,
        needs_review=False,
        disputed=False,
        refunded_minor=0,
        is_extended=False,
        lines=[OrderItem(order_id=order["id"], **line) for line in lines],
        addresses=[Address(order_id=order["id"], **given) for given in addresses],
    )


def _first_entry(order_id: int, who: str, at: datetime) -> JournalEntry:
    return JournalEntry(
        order_id=order_id,
        subject="orders",
        subject_id=order_id,
        what="order.placed",
        to_state="pending",
        who=who,
        why="placed",
        at=at,
    )


def _order_item(line: NewLine, item: ForSale) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "product_title": item.title,
        "product_sku": item.sku,
        "product_status": item.status,
        "unit_price_minor": line.unit_price_minor,
        "quantity": line.quantity,
    }


def _summed(lines: Sequence[NewLine], items: Mapping[str, ForSale]) -> dict[int, int]:
    wanted: dict[int, int] = {}
    for line in lines:
        item_id = items[line.sku].id
        wanted[item_id] = wanted.get(item_id, 0) + line.quantity
    return wanted
