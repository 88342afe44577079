"""Stock items, holds on them, and the movements that account for every unit.

A hold is made when an order is placed, taken when it is paid, released when it ends unpaid.
Each locks its rows in id order, so baskets in opposite order cannot deadlock, and then moves
all lines or none in one statement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, BigId
from models.session import now
from models.statement import Statement

STATUSES = ("available", "reserved", "sold", "archived")
MOST_UNITS = 10**9


class OutOfStockError(Exception):
    """Not every line could be held; nothing is. `item_ids` are the ones that fell short."""

    def __init__(self, item_ids: Sequence[int]) -> None:
        super().__init__(f"not enough stock of items {list(item_ids)}")
        self.item_ids = list(item_ids)


class StockItem(Base):
    __tablename__ = "stock_item"
    __table_args__ = (
        CheckConstraint("status IN ('available', 'reserved', 'sold', 'archived')", name="status"),
        CheckConstraint("0 <= held AND held <= stock", name="held_within_stock"),
        CheckConstraint("unit_price_minor >= 0", name="price_not_negative"),
        CheckConstraint("NOT is_unique OR stock IN (0, 1)", name="unique_stock"),
        CheckConstraint(
            "status = 'archived' OR CASE WHEN is_unique THEN"
            " (status = 'available') = (stock = 1 AND held = 0)"
            " AND (status = 'reserved') = (stock = 1 AND held = 1)"
            " AND (status = 'sold') = (stock = 0)"
            " ELSE status = 'available' END",
            name="status_agrees_with_stock",
        ),
        Index("ix_stock_item_listed", "title", "id", postgresql_where=text("status <> 'archived'")),
    )

    id: Mapped[BigId]
    sku: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    unit_price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int]
    held: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(default="available")
    is_unique: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now())

    @property
    def available(self) -> int:
        """The number of units that an order placed now could hold."""
        return self.stock - self.held if self.status == "available" else 0

    @property
    def standing(self) -> str:
        """The status that units and holds imply, were it not archived."""
        if not self.is_unique:
            return "available"
        if self.stock == 0:
            return "sold"
        return "reserved" if self.held else "available"

    @property
    def most_units(self) -> int:
        """How many units there may be of it."""
        return 1 if self.is_unique else MOST_UNITS


class Reservation(Base):
    """One line's hold on one item."""

    __tablename__ = "reservation"
    __table_args__ = (
        UniqueConstraint("order_id", "item_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("state IN ('active', 'taken', 'released')", name="state"),
        CheckConstraint(
            "0 <= put_back AND put_back <= CASE WHEN state = 'taken' THEN quantity ELSE 0 END",
            name="put_back_of_taken",
        ),
        Index("ix_reservation_active", "item_id", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("stock_item.id"))
    quantity: Mapped[int]
    state: Mapped[str] = mapped_column(default="active")
    put_back: Mapped[int] = mapped_column(default=0, server_default="0")
    """Units that were taken and have come back."""


class StockMovement(Base):
    """Append-only; of an item, `stock_delta` sums up to its stock and `held_delta` to its holds."""

    __tablename__ = "stock_movement"
    __table_args__ = (Index(None, "item_id", "id"), Index(None, "order_id"))

    id: Mapped[BigId]
    item_id: Mapped[int] = mapped_column(ForeignKey("stock_item.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    stock_delta: Mapped[int]
    held_delta: Mapped[int]
    reason: Mapped[str]
    who: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now())


def get(session: Session, item_ids: Sequence[int]) -> Sequence[StockItem]:
    """The items of these ids, for sale or not, as they are at this moment."""
    return session.scalars(
        select(StockItem)
        .where(StockItem.id.in_(item_ids))
        .execution_options(populate_existing=True)
    ).all()


# Rows are locked by a statement of their own, in id order, before another judges and changes
# them: in one statement the change would start from the rows as they were before any wait for a
# lock, and two such statements can deadlock over a single row (docs/adr/0012).
_LOCK = Statement("""
SELECT id FROM stock_item WHERE id = ANY (%(item_ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE
""")

_LOCK_HELD = Statement("""
SELECT id FROM stock_item
WHERE id IN (
    SELECT item_id FROM reservation
    WHERE order_id = ANY (%(order_ids)s::bigint[]) AND state = 'active')
ORDER BY id FOR NO KEY UPDATE
""")


# Only the clock and terms of ours are interpolated below, never a value (S608).
def holding(order_id: str) -> str:
    """What of a WITH holds `item_ids` and `quantities`, all or none, for an order.

    `order_id` is a term of SQL. The items must be locked by then; `HELD` says how it went.
    """
    return f"""
wanted AS (
    SELECT * FROM unnest(%(item_ids)s::bigint[], %(quantities)s::bigint[])
        AS wanted (item_id, quantity)
), fitting AS (
    SELECT id, quantity FROM stock_item JOIN wanted ON item_id = id
    WHERE status = 'available' AND stock - held >= quantity
), held AS (
    UPDATE stock_item SET
        held = held + quantity,
        status = CASE WHEN is_unique THEN 'reserved' ELSE 'available' END
    FROM fitting
    WHERE stock_item.id = fitting.id AND status = 'available' AND stock - held >= quantity
      AND (SELECT count(*) FROM fitting) = (SELECT count(*) FROM wanted)
    RETURNING stock_item.id, quantity
), reserved AS (
    INSERT INTO reservation (order_id, item_id, quantity, state)
    SELECT {order_id}, id, quantity, 'active' FROM held
    ON CONFLICT (order_id, item_id) DO UPDATE SET state = 'active'
    WHERE reservation.state = 'released'
), moved AS (
    INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
    SELECT id, {order_id}, 0, quantity, 'held', %(who)s, {now()} FROM held
)"""  # noqa: S608


HELD = """
(SELECT count(*) FROM held) = (SELECT count(*) FROM wanted) AS all_held,
array(SELECT item_id FROM wanted EXCEPT SELECT id FROM fitting) AS short"""
"""What is selected of `holding`: whether all is held, and else the items that fell short."""

_HOLD = Statement(f"WITH {holding('%(order_id)s::bigint')} SELECT {HELD}")

_END_HOLDS = Statement(f"""
WITH ended AS (
    UPDATE reservation SET state = %(state)s
    WHERE order_id = ANY (%(order_ids)s::bigint[]) AND state = 'active'
    RETURNING order_id, item_id, quantity
), summed AS (
    SELECT item_id, CAST(sum(quantity) AS bigint) AS quantity FROM ended GROUP BY item_id
), changed AS (
    UPDATE stock_item SET
        stock = stock - %(taken)s::bigint * quantity,
        held = held - quantity,
        status = CASE WHEN NOT is_unique OR status = 'archived' THEN status
                      WHEN %(taken)s::bigint = 1 THEN 'sold' ELSE 'available' END
    FROM summed WHERE stock_item.id = item_id
), moved AS (
    INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
    SELECT item_id, order_id, -(%(taken)s::bigint * quantity), -quantity, %(state)s, %(who)s,
        {now()}
    FROM ended
)
SELECT count(*) FROM ended
""")  # noqa: S608


def lock(session: Session, item_ids: Sequence[int]) -> None:
    """Lock these items in the order that all locks are taken in."""
    _LOCK.rows(session, {"item_ids": list(item_ids)})


def hold(session: Session, order_id: int, wanted: Mapping[int, int], *, who: str) -> None:
    """Hold `wanted` units by item id, or raise `OutOfStockError` and hold nothing.

    `stock - held` cannot pass below zero and a unique piece is held by one order at most.
    """
    lock(session, sorted(wanted))
    values = {"order_id": order_id, "who": who, **quantities(wanted)}
    all_held, short = _HOLD.row(session, values) or ()
    if not all_held:
        raise OutOfStockError(sorted(short))


def quantities(wanted: Mapping[int, int]) -> dict[str, list[int]]:
    """The parameters of `holding` that say what."""
    item_ids = sorted(wanted)
    return {"item_ids": item_ids, "quantities": [wanted[item_id] for item_id in item_ids]}


def hold_again(session: Session, order_id: int, *, who: str) -> None:
    """Hold once more what was released of the order, or raise `OutOfStockError`."""
    released = select(Reservation.item_id, Reservation.quantity).where(
        Reservation.order_id == order_id, Reservation.state == "released"
    )
    hold(
        session, order_id, {row.item_id: row.quantity for row in session.execute(released)}, who=who
    )


def take(session: Session, order_id: int, *, who: str) -> int:
    """Turn the order's holds into sales; the number of items taken. A second call takes none."""
    return _end_holds(session, [order_id], "taken", who)


def release(session: Session, *order_ids: int, who: str) -> int:
    """Give back what orders hold; the number of holds released. A second call releases none."""
    return _end_holds(session, order_ids, "released", who)


def _end_holds(session: Session, order_ids: Sequence[int], state: str, who: str) -> int:
    ids = list(order_ids)
    _LOCK_HELD.rows(session, {"order_ids": ids})
    bind = {"order_ids": ids, "state": state, "taken": int(state == "taken"), "who": who}
    (ended,) = _END_HOLDS.row(session, bind) or ()
    return int(ended)
