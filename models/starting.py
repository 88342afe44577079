"""Starting a payment: one lives at a time, and a buyer who chooses anew has the earlier one closed.

The next payment waits until the provider of the earlier one has said that it takes no more
money: before that, no other provider hears of it. So nothing can be paid twice, whoever chooses
what in however many tabs.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

import settings
from models import job, journal, orders, payment, rows
from models.orders import Order
from models.payment import STATES, Payment
from models.statement import Statement

_NEXT_ID = Statement("SELECT nextval(pg_get_serial_sequence('payment', 'id'))")

_UNDER_WAY = frozenset({"processing", "authorised"})
"""In which the buyer has paid, as far as they can see."""


class AlreadyPaidError(Exception):
    """The order has its money."""


class OrderClosingError(Exception):
    """The order is being closed; whether it ends paid is not known yet."""


class OrderClosedError(Exception):
    """The order has ended unpaid; `state` says how."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the order is {state}")
        self.state = state


class UnderWayError(Exception):
    """The money is on its way by the earlier payment, so no other may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to pay: the provider, its method if one was chosen, and the page to come back to."""

    provider: str
    method: str | None = None
    return_url: str | None = None
    """With `{payment_id}`, if the address is to say it."""


def start(
    session: Session, order_id: int, way: Way, *, who: str, is_chosen: bool = True
) -> Payment:
    """The order's payment by this way, or by any way if it was not chosen; made if there was none.

    If another is live, that is closed first and the new one waits. Raises `AlreadyPaidError`,
    `OrderClosingError`, `OrderClosedError` or `UnderWayError`.
    """
    order = orders.lock(session, order_id)
    _check_payable(session, order)
    live, waiting = payment.live_of(session, order_id), payment.waiting_of(session, order_id)
    latest = waiting or live
    if latest is not None and not latest.is_used_up and (not is_chosen or _is_by(latest, way)):
        return latest
    if live is not None and live.state in _UNDER_WAY:
        raise UnderWayError
    if waiting is not None:
        payment.cancel_unsent(session, waiting, why="the buyer chose another way to pay")
    is_free = live is None or _is_closed(session, live)
    return _make(session, order, way, "created" if is_free else "waiting", who)


def _check_payable(session: Session, order: Order) -> None:
    if order.state == "paid":
        raise AlreadyPaidError
    if order.state != "pending":
        raise OrderClosedError(order.state)
    if order.closing is not None or orders.is_overdue(session, order):
        raise OrderClosingError


def _is_by(row: Payment, way: Way) -> bool:
    return (row.provider, row.method) == (way.provider, way.method)


def _is_closed(session: Session, live: Payment) -> bool:
    """Close a payment of which no provider has heard; have any other closed by a job."""
    if live.state == "created":
        payment.cancel_unsent(session, live, why="the buyer chose another way to pay")
        return True
    close(session, live)
    return False


def close(session: Session, live: Payment) -> None:
    """Have the payment closed at its provider, once."""
    job.stage(
        session,
        "payments.close",
        key=f"close:{live.id}",
        order_id=live.order_id,
        payment_id=live.id,
    )


def _make(session: Session, order: Order, way: Way, state: str, who: str) -> Payment:
    (payment_id,) = _NEXT_ID.row(session, {}) or ()
    back = way.return_url
    row = rows.add(
        session,
        Payment,
        id=payment_id,
        order_id=order.id,
        provider=way.provider,
        method=way.method,
        return_url=back and back.replace("{payment_id}", str(payment_id)),
        state=state,
        amount_minor=order.total_minor,
        currency=order.currency,
        capture=settings.current().payment_capture,
        provider_key=f"{settings.current().instance}-pi-{payment_id}",
    )
    journal.write(session, row, "payment.created", None, state, who=who, why="started")
    if state == "created":
        _open(session, row)
    return row


def _open(session: Session, row: Payment) -> None:
    """Have its provider asked for it."""
    job.stage(
        session,
        "payments.create_intent",
        key=f"intent:{row.id}",
        order_id=row.order_id,
        payment_id=row.id,
    )


def begin_next(session: Session, order: Order) -> None:
    """Begin the payment that has waited for the live one to end, if there is one."""
    row = payment.waiting_of(session, order.id)
    if row is not None:
        why = "the payment before it is closed"
        journal.move(session, row, STATES, "created", who="system", why=why)
        _open(session, row)


def call_off_next(session: Session, order: Order, *, why: str) -> None:
    """End the payment that waits, if there is one: its order wants no other."""
    row = payment.waiting_of(session, order.id)
    if row is not None:
        payment.cancel_unsent(session, row, why=why)
