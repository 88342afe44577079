"""One statement stores a whole order and holds its stock; what it has stored need not be read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy.orm import Session

import settings
from models import idempotency, stock
from models.for_sale import ForSale
from models.idempotency import Kept
from models.session import now
from models.statement import Statement
from models.tokens import new_order_number


class NewLine(NamedTuple):
    sku: str
    unit_price_minor: int
    quantity: int


class NewOrder(NamedTuple):
    """What a buyer asks for; `addresses` by kind, `shipping` and perhaps `billing`."""

    email: str
    currency: str
    lines: Sequence[NewLine]
    addresses: Mapping[str, Mapping[str, Any]]
    user_id: int | None = None
    guest_hash: bytes | None = None
    client_hash: bytes | None = None

    @property
    def total_minor(self) -> int:
        """What the buyer expects it to come to."""
        return sum(line.unit_price_minor * line.quantity for line in self.lines)

    @property
    def written_addresses(self) -> list["PlacedAddress"]:
        """The addresses as they are stored."""
        return [
            PlacedAddress._make((kind, *map(given.get, PlacedAddress._fields[1:])))
            for kind, given in self.addresses.items()
        ]


class PlacedLine(NamedTuple):
    """A line as an `OrderItem` has it."""

    item_id: int
    product_title: str
    product_sku: str
    product_status: str
    unit_price_minor: int
    quantity: int


class PlacedAddress(NamedTuple):
    """An address as an `Address` has it."""

    kind: str
    name: str | None
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str
    phone: str | None


class PlacedEntry(NamedTuple):
    """The first line of the order's journal, as a `JournalEntry` has it."""

    who: str
    at: datetime
    subject: str = "orders"
    what: str = "order.placed"
    from_state: str | None = None
    to_state: str | None = "pending"
    why: str = "placed"


class Stored(NamedTuple):
    """What of an order is known once it is stored."""

    id: int
    order_number: str
    created_at: datetime
    expires_at: datetime


class Placed(NamedTuple):
    """An order as an `Order` has it that nothing has happened to yet."""

    id: int
    order_number: str
    email: str
    currency: str
    total_minor: int
    created_at: datetime
    expires_at: datetime
    lines: Sequence[PlacedLine]
    addresses: Sequence[PlacedAddress]
    timeline: Sequence[PlacedEntry]
    token_version: int = 1
    status: str = "pending"
    state: str = "pending"
    closing: str | None = None
    fulfilment: str = "none"
    stock_shortage: bool = False
    needs_review: bool = False
    disputed: bool = False
    refunded_minor: int = 0
    paid_at: datetime | None = None


_NUMBERS = {"item_id", "unit_price_minor", "quantity"}


def _given(name: str, columns: Sequence[str]) -> str:
    """The objects of a JSON list as rows, in their order; their names are these columns.

    Psycopg takes a twentieth of the time over one document that it takes over an array for each
    column.
    """
    typed = ", ".join(f"{each} {'bigint' if each in _NUMBERS else 'text'}" for each in columns)
    rows = f"ROWS FROM (json_to_recordset(%({name})s::json) AS ({typed})) WITH ORDINALITY"
    return f"{rows} AS {name} ({', '.join(columns)}, position)"


_LINE, _ADDRESS = ", ".join(PlacedLine._fields), ", ".join(PlacedAddress._fields)
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
    INSERT INTO order_item (order_id, {_LINE})
    SELECT id, {_LINE} FROM placed, {_given("lines", PlacedLine._fields)} ORDER BY position
), addressed AS (
    INSERT INTO address (order_id, {_ADDRESS})
    SELECT id, {_ADDRESS} FROM placed, {_given("addresses", PlacedAddress._fields)}
    ORDER BY position
), noted AS (
    INSERT INTO journal (order_id, subject, subject_id, what, to_state, who, why, at)
    SELECT id, 'orders', id, 'order.placed', 'pending', %(who)s, 'placed', created_at FROM placed
), kept AS ({idempotency.keeping("(SELECT id FROM placed)")}
), {stock.holding("(SELECT id FROM placed)")}
SELECT id, created_at, expires_at, {stock.HELD} FROM placed
""")  # noqa: S608


def store(
    session: Session,
    new: NewOrder,
    items: Mapping[str, ForSale],
    *,
    who: str,
    once: Kept,
) -> Placed:
    """Write the order, its lines, its addresses, its first line of the journal and its holds.

    With them is written what is kept of the request's key, `once`. `items` are those of all its
    SKUs, locked, at the buyer's prices. Raises `stock.OutOfStockError`, after which the
    transaction must be rolled back.
    """
    lines = [_line(line, items[line.sku]) for line in new.lines]
    addresses = new.written_addresses
    number = new_order_number()
    values = {
        "order_number": number,
        "user_id": new.user_id,
        "email": new.email,
        "guest_hash": new.guest_hash,
        "client_hash": new.client_hash,
        "currency": new.currency,
        "total_minor": new.total_minor,
        "who": who,
        **once._asdict(),
        "time_to_pay": timedelta(seconds=settings.current().reservation_ttl_seconds),
        "lines": _listed(lines),
        "addresses": _listed(addresses),
        **stock.quantities(summed(new.lines, items)),
    }
    order_id, created_at, expires_at, all_held, short = _STORE.row(session, values) or ()
    if not all_held:
        raise stock.OutOfStockError(sorted(short))
    return placed(new, lines, addresses, who, Stored(order_id, number, created_at, expires_at))


def placed(
    new: NewOrder,
    lines: Sequence[PlacedLine],
    addresses: Sequence[PlacedAddress],
    who: str,
    stored: Stored,
) -> Placed:
    """The order as it has been stored."""
    return Placed(
        email=new.email,
        currency=new.currency,
        total_minor=new.total_minor,
        lines=lines,
        addresses=addresses,
        timeline=[PlacedEntry(who, stored.created_at)],
        **stored._asdict(),
    )


def summed(lines: Sequence[NewLine], items: Mapping[str, ForSale]) -> dict[int, int]:
    """How many units of each item the lines want together, by item id."""
    wanted: dict[int, int] = {}
    for line in lines:
        item_id = items[line.sku].id
        wanted[item_id] = wanted.get(item_id, 0) + line.quantity
    return wanted


def _line(line: NewLine, item: ForSale) -> PlacedLine:
    return PlacedLine(
        item_id=item.id,
        product_title=item.title,
        product_sku=item.sku,
        product_status=item.status,
        unit_price_minor=line.unit_price_minor,
        quantity=line.quantity,
    )


def _listed(rows: Iterable[PlacedLine | PlacedAddress]) -> str:
    """As JSON, for `_given`."""
    return orjson.dumps([row._asdict() for row in rows]).decode()
