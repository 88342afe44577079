"""Who holds what of an item: the reservations of orders that are not paid yet."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import Order
from models.stock import Reservation


class Hold(NamedTuple):
    order: Order
    quantity: int


def of_item(session: Session, item_id: int, *, limit: int) -> Sequence[Hold]:
    """The item's holds; those that end first come first."""
    held = (
        select(Order, Reservation.quantity)
        .join(Reservation, Reservation.order_id == Order.id)
        .where(Reservation.item_id == item_id, Reservation.state == "active")
        .order_by(Order.expires_at, Order.id)
        .limit(limit)
    )
    return [Hold(order, quantity) for order, quantity in session.execute(held)]
