"""Closing an order that nobody paid: mark it, ask the provider, then end it and free its stock."""

from sqlalchemy.orm import Session

from models import orders, payment, starting


def expire(session: Session, order_id: int) -> bool:
    """Begin to close an order whose hold has run out; a running payment gets more time once.

    False if somebody else has dealt with it in the meantime.
    """
    order, is_overdue = orders.lock_and_judge(session, order_id)
    if order.state != "pending" or order.closing or not is_overdue:
        return False
    live = payment.live_of(session, order_id)
    if live is None or live.state not in payment.RUNNING or not orders.extend(session, order):
        _close(session, order, live, "expired", who="system", why="it was not paid in time")
    return True


def cancel(session: Session, order_id: int, *, who: str, why: str) -> orders.Order:
    """Begin to close an order that is not wanted any more; one that has ended stays as it is.

    Without a payment at a provider it ends at once; else a job closes the payment first, and the
    order ends paid if the money was faster.
    """
    order = orders.lock(session, order_id)
    if order.state == "pending" and order.closing is None:
        _close(session, order, payment.live_of(session, order_id), "cancelled", who=who, why=why)
    return order


def _close(
    session: Session,
    order: orders.Order,
    live: payment.Payment | None,
    to: str,
    *,
    who: str,
    why: str,
) -> None:
    if not orders.begin_closing(session, order, to, who=who, why=why):
        return
    starting.call_off_next(session, order, why=why)
    if live is not None and live.state == "created":
        payment.cancel_unsent(session, live, why=why)
        live = None
    if live is None:
        orders.end_closing(session, order, who=who, why=why)
    else:
        starting.close(session, live)
