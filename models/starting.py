"""Starting a payment: one lives at a time, and a buyer who chooses anew has the earlier one closed.

The next payment waits until the provider of the earlier one has said that it takes no more
money: before that, no other provider hears of it. So nothing can be paid twice, whoever chooses
what in however many tabs.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

import settings
from models import job, journal, orders, payment, rows, staging
from models.orders import Order
from models.payment import STATES, Payment
from models.session import now
from models.statement import Statement

_OPEN = "payments.create_intent"
_KEY, _PAYLOAD = "'intent:' || changed.id", "jsonb_build_object('payment_id', changed.id)"
_STAGING = staging.staging("FROM changed WHERE changed.state = 'created'", _KEY, _PAYLOAD)
# Only the clock and terms of ours are interpolated, never a value (S608).
_MAKE = Statement(f"""
WITH changed AS (
    INSERT INTO payment (id, order_id, provider, method, return_url, state, settles, amount_minor,
        currency, capture, provider_key, received_minor, created_at)
    SELECT id, %(order_id)s, %(provider)s, %(method)s,
        replace(%(return_url)s, '{{payment_id}}', id::text), %(state)s, false, %(amount_minor)s,
        %(currency)s, %(capture)s, %(instance)s || '-pi-' || id, 0, {now()}
    FROM (SELECT nextval(pg_get_serial_sequence('payment', 'id')) AS id) AS new
    RETURNING {rows.columns(Payment)}
), also AS ({journal.of_what_changed(Payment)}
), {_STAGING}
SELECT {rows.columns(Payment)}, {staging.STAGED} FROM changed
""")  # noqa: S608

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
    order, is_overdue = orders.lock_and_judge(session, order_id)
    _check_payable(order, is_overdue)
    live, waiting = payment.unended_of(session, order_id)
    latest = waiting or live
    if latest is not None and not latest.is_used_up and (not is_chosen or _is_by(latest, way)):
        return latest
    if live is not None and live.state in _UNDER_WAY:
        raise UnderWayError
    if waiting is not None:
        payment.cancel_unsent(session, waiting, why="the buyer chose another way to pay")
    is_free = live is None or _is_closed(session, live)
    return _make(session, order, way, "created" if is_free else "waiting", who)


def _check_payable(order: Order, is_overdue: bool) -> None:
    if order.state == "paid":
        raise AlreadyPaidError
    if order.state != "pending":
        raise OrderClosedError(order.state)
    if order.closing is not None or is_overdue:
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
    *made, staged = (
        _MAKE.row(
            session,
            {
                "order_id": order.id,
                "provider": way.provider,
                "method": way.method,
                "return_url": way.return_url,
                "state": state,
                "amount_minor": order.total_minor,
                "currency": order.currency,
                "capture": settings.current().payment_capture,
                "instance": settings.current().instance,
                **journal.said(Payment, "created", None, state, who=who, why="started"),
                **staging.needed(_OPEN, ["payment_id"], order_id=order.id),
            },
        )
        or ()
    )
    if staged is not None:
        job.was_staged(session, _OPEN, staged, order_id=order.id)
    return rows.known(session, Payment, tuple(made))


def _open(session: Session, row: Payment) -> None:
    """Have its provider asked for it."""
    job.stage(
        session,
        _OPEN,
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
