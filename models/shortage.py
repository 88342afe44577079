"""Paid orders whose goods were gone: staff have them taken from stock, or give the money back."""

from sqlalchemy.orm import Session

from models import journal, orders, stock
from models.orders import Order
from models.session import signal_after_commit


def clear(session: Session, order_id: int, *, who: str, why: str) -> Order:
    """Take the order's goods from stock, now that they are there; said twice it takes them once.

    Raises `stock.OutOfStockError` if they are not, and then the transaction must be rolled back,
    or NoResultFound.
    """
    order = orders.lock(session, order_id)
    if order.stock_shortage:
        stock.hold_again(session, order.id, who=who)
        stock.take(session, order.id, who=who)
        end(session, order, who=who, why=why)
    return order


def end(session: Session, order: Order, *, who: str, why: str) -> None:
    """Say that nothing is missing any more: the goods are there, or the money went back."""
    order.stock_shortage = False
    journal.write(session, order, "order.shortage_cleared", None, None, who=who, why=why)
    signal_after_commit(session, f"order:{order.id}")
