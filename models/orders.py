"""Orders: placed whole, closed in steps, paid once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    select,
    text,
    update,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value

import settings
from models import ending, journal, notification, stock
from models.base import Base, BigId
from models.rows import Rows
from models.session import now, signal_after_commit

STATES: journal.StateTable = {
    "pending": frozenset({"paid", "expired", "cancelled"}),
    "expired": frozenset({"paid"}),
    "cancelled": frozenset({"paid"}),
    "paid": frozenset(),
}


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'paid', 'expired', 'cancelled')", name="state"),
        CheckConstraint("fulfilment IN ('none', 'shipped', 'delivered')", name="fulfilment"),
        CheckConstraint("closing IN ('expired', 'cancelled')", name="closing"),
        CheckConstraint("closing IS NULL OR state = 'pending'", name="closing_only_pending"),
        CheckConstraint("total_minor > 0", name="total_positive"),
        CheckConstraint("refunded_minor >= 0", name="refunded_not_negative"),
        Index(
            "ix_orders_expiring",
            "expires_at",
            postgresql_where=text("state = 'pending' AND closing IS NULL"),
        ),
        Index(
            "ix_orders_for_a_person", "id", postgresql_where=text("needs_review OR stock_shortage")
        ),
        Index(None, "user_id"),
        Index("ix_orders_unpaid", "client_hash", postgresql_where=text("state = 'pending'")),
        Index("ix_orders_email", text("lower(email)")),
        Index(None, "state", "fulfilment", "id"),
        Index("ix_orders_disputed", "id", postgresql_where=text("disputed")),
        Index("ix_orders_refunded", "id", postgresql_where=text("refunded_minor > 0")),
    )

    id: Mapped[BigId]
    order_number: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    email: Mapped[str]
    guest_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    client_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Whose reservations it counts among; nobody's if staff placed it."""
    token_version: Mapped[int] = mapped_column(default=1)
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int]
    state: Mapped[str] = mapped_column(default="pending")
    closing: Mapped[str | None]
    fulfilment: Mapped[str] = mapped_column(default="none")
    stock_shortage: Mapped[bool] = mapped_column(default=False)
    needs_review: Mapped[bool] = mapped_column(default=False)
    disputed: Mapped[bool] = mapped_column(default=False)
    refunded_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    """What succeeded refunds of the payment that settles it have given back."""
    is_extended: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=now())
    paid_at: Mapped[datetime | None]

    lines: Mapped[list["OrderItem"]] = relationship(order_by="OrderItem.id", lazy="raise")
    addresses: Mapped[list["Address"]] = relationship(order_by="Address.id", lazy="raise")

    @property
    def status(self) -> str:
        """The one word that clients see."""
        if self.refunded_minor > 0:
            return "refunded" if self.refunded_minor >= self.total_minor else "partially_refunded"
        return self.state if self.fulfilment == "none" else self.fulfilment


class OrderItem(Base):
    """A line, with the item as it was when it was ordered."""

    __tablename__ = "order_item"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index(None, "order_id"),
        Index(None, "product_sku", "order_id"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("stock_item.id"))
    product_title: Mapped[str]
    product_sku: Mapped[str]
    product_status: Mapped[str]
    unit_price_minor: Mapped[int]
    quantity: Mapped[int]


class Address(Base):
    __tablename__ = "address"
    __table_args__ = (
        UniqueConstraint("order_id", "kind"),
        CheckConstraint("kind IN ('shipping', 'billing')", name="kind"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    kind: Mapped[str]
    name: Mapped[str | None]
    line1: Mapped[str]
    line2: Mapped[str | None]
    city: Mapped[str]
    region: Mapped[str | None]
    postal_code: Mapped[str]
    country: Mapped[str] = mapped_column(String(2))
    phone: Mapped[str | None]


_FIND = Rows(Order, "WHERE id = %(order_id)s")
_LINES = Rows(OrderItem, "WHERE order_id = %(order_id)s ORDER BY id")
_ADDRESSES = Rows(Address, "WHERE order_id = %(order_id)s ORDER BY id")


def find(session: Session, order_id: int) -> Order | None:
    """The order as it is at this moment."""
    return _FIND.first(session, order_id=order_id)


def load(session: Session, order_id: int) -> Order | None:
    """The order with its lines and addresses."""
    order = find(session, order_id)
    if order is not None:
        set_committed_value(order, "lines", _LINES.all(session, order_id=order_id))
        set_committed_value(order, "addresses", _ADDRESSES.all(session, order_id=order_id))
    return order


def with_order(session: Session, kind: Any, row_id: int) -> tuple[Any, Order | None]:
    """The row of this kind with its order, in one query whether or not it is there."""
    whole = select(kind, Order).join(Order, Order.id == kind.order_id).where(kind.id == row_id)
    found = session.execute(whole).one_or_none()
    return (found[0], found[1]) if found else (None, None)


_LOCK = Rows(Order, "WHERE id = %(order_id)s FOR NO KEY UPDATE")
_LOCK_IN_TIME = Rows(Order, "WHERE id = %(order_id)s FOR NO KEY UPDATE", f"expires_at <= {now()}")
_LOCK_OF_PAYMENT = Rows(
    Order,
    "WHERE id = (SELECT order_id FROM payment WHERE id = %(payment_id)s) FOR NO KEY UPDATE",
)


def lock(session: Session, order_id: int) -> Order:
    """The order, locked first of all rows of its house; raises NoResultFound."""
    return _LOCK.one(session, order_id=order_id)


def lock_and_judge(session: Session, order_id: int) -> tuple[Order, bool]:
    """The order, locked as by `lock`, and whether its hold has run out by the database's clock."""
    found = _LOCK_IN_TIME.first_with(session, order_id=order_id)
    if found is None:
        raise NoResultFound(f"no order {order_id}")
    return found


def lock_of_payment(session: Session, payment_id: int) -> Order:
    """The order that this payment is of, locked as by `lock`."""
    return _LOCK_OF_PAYMENT.one(session, payment_id=payment_id)


def overdue(session: Session, limit: int, *, besides: Sequence[int] = ()) -> Sequence[int]:
    """Orders whose hold has run out and that nobody is closing yet, oldest first."""
    return session.scalars(
        select(Order.id)
        .where(Order.state == "pending", Order.closing.is_(None), Order.expires_at <= now())
        .where(Order.id.not_in(besides))
        .order_by(Order.expires_at)
        .limit(limit)
    ).all()


def extend(session: Session, order: Order) -> bool:
    """Give a running payment attempt more time, once in an order's life."""
    longer = timedelta(seconds=settings.current().reservation_extension_seconds)
    extended = session.scalar(
        update(Order)
        .where(Order.id == order.id, Order.state == "pending", Order.is_extended.is_(False))
        .values(is_extended=True, expires_at=now() + longer)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if extended is not None:
        journal.write(
            session, order, "order.extended", None, None, who="system", why="a payment is running"
        )
    return extended is not None


def hold_until(session: Session, order: Order, until: datetime, *, who: str, why: str) -> None:
    """Hold the goods of an unpaid order for just as long as money is reserved for them."""
    if order.state != "pending" or order.closing is not None or order.expires_at == until:
        return
    order.expires_at = until
    journal.write(session, order, "order.extended", None, None, who=who, why=why)


def begin_closing(session: Session, order: Order, to: str, *, who: str, why: str) -> bool:
    """Mark the order as about to end `expired` or `cancelled`: from here no payment can start."""
    marked = session.scalar(
        update(Order)
        .where(Order.id == order.id, Order.state == "pending", Order.closing.is_(None))
        .values(closing=to)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if marked is not None:
        session.refresh(order)
        journal.write(session, order, "order.closing", None, to, who=who, why=why)
        signal_after_commit(session, f"order:{order.id}")
    return marked is not None


def end_closing(session: Session, order: Order, *, who: str, why: str) -> bool:
    """End a closing order and release its hold; no payment of it may be live any more."""
    to = order.closing
    if to is None or not journal.move(session, order, STATES, to, who=who, why=why, closing=None):
        return False
    stock.release(session, order.id, who=who)
    ending.tell(session, order.id, to, order.email)
    signal_after_commit(session, f"order:{order.id}")
    return True


def pay(session: Session, order: Order, *, who: str, why: str) -> bool:
    """Make a locked order paid, take its stock, stage its confirmation; False if it is not.

    Money that comes after the order has ended is kept if its goods can be held again. If not,
    LATE_PAYMENT_POLICY says whether the order is completed with `stock_shortage` for staff, or
    stays ended and False is returned, as it is for an order that is paid already.
    """
    is_late = order.state in ("expired", "cancelled")
    if order.state == "paid":
        return False
    is_short = is_late and not _is_held_again(session, order, who=who)
    if is_short and settings.current().late_payment_policy == "refund":
        return False
    journal.move(
        session,
        order,
        STATES,
        "paid",
        who=who,
        why=why,
        is_locked=True,
        closing=None,
        paid_at=now(),
    )
    if is_short:
        order.stock_shortage = True
        journal.write(
            session, order, "order.stock_shortage", None, None, who=who, why="paid after its hold"
        )
    stock.take(session, order.id, who=who)
    notification.stage(session, order.id, "order_paid", order.email)
    signal_after_commit(session, f"order:{order.id}")
    return True


def _is_held_again(session: Session, order: Order, *, who: str) -> bool:
    try:
        stock.hold_again(session, order.id, who=who)
    except stock.OutOfStockError:
        return False
    return True


def flag_for_review(session: Session, order: Order, *, who: str, why: str) -> None:
    """Ask for a person: something about this order's money does not add up. Said once is enough."""
    what = "order.needs_review"
    if order.needs_review and (last := journal.last(session, order.id, what)) and last.why == why:
        return
    order.needs_review = True
    journal.write(session, order, what, None, None, who=who, why=why)
