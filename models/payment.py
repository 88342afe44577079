"""Payments: one live payment an order, and the provider's word for what became of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

import settings
from models import job, journal, orders, sealed
from models.base import Base, BigId, Json
from models.intents import Failure
from models.orders import Order
from models.session import now, signal_after_commit

_ANSWERS = frozenset(
    {"open", "requires_action", "processing", "authorised", "succeeded", "cancelled", "failed"}
)
STATES: journal.StateTable = {
    "created": frozenset({"sent", "cancelled"}) | _ANSWERS,
    "sent": frozenset({"unknown"}) | _ANSWERS,
    "unknown": _ANSWERS,
    "open": _ANSWERS - {"open"},
    "requires_action": _ANSWERS - {"requires_action"},
    "processing": _ANSWERS - {"processing"},
    "authorised": _ANSWERS - {"authorised"},
    "cancelled": frozenset({"succeeded"}),
    "failed": frozenset({"succeeded"}),
    "succeeded": frozenset(),
}
FINAL = frozenset({"succeeded", "cancelled", "failed"})
"""Ends, of which only another success may be heard."""
LIVE = frozenset(STATES) - FINAL
UNANSWERED = frozenset({"created", "sent", "unknown"})
"""Live states in which no answer of the provider has been booked yet."""
RUNNING = frozenset({"sent", "unknown", "requires_action", "processing", "authorised"})
"""Live states in which the customer or the provider is at work."""


class AlreadyPaidError(Exception):
    """The order has its money."""


class OrderClosingError(Exception):
    """The order is being closed; whether it ends paid is not known yet."""


class OrderClosedError(Exception):
    """The order has ended unpaid; `state` says how."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the order is {state}")
        self.state = state


def _in(states: frozenset[str]) -> str:
    return "state IN (" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


class Payment(Base):
    """Known to the older app as `PaymentRecord`."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(_in(frozenset(STATES)), name="state"),
        CheckConstraint("capture IN ('automatic', 'manual')", name="capture"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("NOT settles OR state = 'succeeded'", name="settles_only_succeeded"),
        UniqueConstraint("provider", "provider_payment_id"),
        Index("uq_payment_live", "order_id", unique=True, postgresql_where=text(_in(LIVE))),
        Index("uq_payment_settles", "order_id", unique=True, postgresql_where=text("settles")),
        Index(None, "order_id"),
        Index(None, "sent_at"),
        Index("ix_payment_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
        CheckConstraint("refunded_minor >= 0", name="refunded_not_negative"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    provider: Mapped[str]
    state: Mapped[str] = mapped_column(default="created")
    settles: Mapped[bool] = mapped_column(default=False)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    provider_key: Mapped[str] = mapped_column(unique=True)
    """The idempotency key of its creation at the provider: committed before the call."""
    capture: Mapped[str] = mapped_column(default="automatic", server_default="automatic")
    """Whether the money is taken by itself or when staff say so: frozen with the request."""
    provider_payment_id: Mapped[str | None]
    client_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Sealed; erased when the payment is final."""
    received_minor: Mapped[int] = mapped_column(default=0)
    capture_before: Mapped[datetime | None]
    """Until when authorised money can be captured."""
    raw_response: Mapped[Json | None]
    refunded_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    """What succeeded refunds have given back."""
    provider_refund_id: Mapped[str | None]
    """The latest succeeded one; `models.refund` has all."""
    refunded_at: Mapped[datetime | None]
    """Since when all of it is given back."""
    look_at: Mapped[datetime | None]
    """When the janitor asks the provider, unless something is heard before; unset once final."""
    looks: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often the janitor has asked since something was heard."""
    created_at: Mapped[datetime] = mapped_column(default=now())
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def lacks_answer(self) -> bool:
        """Whether the provider's answer is still to come; events keep the secret back."""
        return self.is_live and self.client_secret is None

    @property
    def secret_for_owner(self) -> str | None:
        """The client secret, readable; for the order's owner only."""
        return sealed.unseal(self.client_secret) if self.client_secret else None


class PaymentAttempt(Base):
    """Append-only: a customer's try that the provider declined; the payment stays open."""

    __tablename__ = "payment_attempt"
    __table_args__ = (UniqueConstraint("payment_id", "charge_id"),)

    id: Mapped[BigId]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    charge_id: Mapped[str]
    code: Mapped[str]
    message: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now())


def start(session: Session, order_id: int, provider: str, *, who: str) -> Payment:
    """The order's live payment, made and its intent staged if there was none.

    Raises `AlreadyPaidError`, `OrderClosingError` or `OrderClosedError`.
    """
    order = orders.lock(session, order_id)
    _check_payable(session, order)
    if (live := live_of(session, order_id)) is not None:
        return live
    payment_id = session.execute(
        select(func.nextval(func.pg_get_serial_sequence("payment", "id")))
    ).scalar_one()
    payment = Payment(
        id=payment_id,
        order_id=order_id,
        provider=provider,
        amount_minor=order.total_minor,
        currency=order.currency,
        capture=settings.current().payment_capture,
        provider_key=f"{settings.current().instance}-pi-{payment_id}",
    )
    session.add(payment)
    session.flush()
    journal.write(session, payment, "payment.created", None, "created", who=who, why="started")
    job.stage(
        session,
        "payments.create_intent",
        key=f"intent:{payment_id}",
        order_id=order_id,
        payment_id=payment_id,
    )
    return payment


def _check_payable(session: Session, order: Order) -> None:
    if order.state == "paid":
        raise AlreadyPaidError
    if order.state != "pending":
        raise OrderClosedError(order.state)
    if order.closing is not None or orders.is_overdue(session, order):
        raise OrderClosingError


def live_of(session: Session, order_id: int) -> Payment | None:
    """The one payment of the order that may still take money in the ordinary way."""
    return session.scalar(
        select(Payment).where(Payment.order_id == order_id, Payment.state.in_(LIVE))
    )


def of_order(session: Session, order_id: int) -> Sequence[Payment]:
    """All payments of an order, oldest first."""
    return session.scalars(
        select(Payment).where(Payment.order_id == order_id).order_by(Payment.id)
    ).all()


def lock_with_order(session: Session, payment_id: int) -> tuple[Order, Payment]:
    """The payment and its order, locked in the order that all locks are taken in."""
    order_id = session.execute(
        select(Payment.order_id).where(Payment.id == payment_id)
    ).scalar_one()
    return orders.lock(session, order_id), lock(session, payment_id)


def cancel_unsent(session: Session, payment: Payment, *, why: str) -> None:
    """End a payment of which no provider has heard."""
    journal.move(
        session,
        payment,
        {"created": frozenset({"cancelled"})},
        "cancelled",
        who="system",
        why=why,
        ended_at=now(),
        look_at=None,
    )
    signal_after_commit(session, f"payment:{payment.id}")


def lock(session: Session, payment_id: int) -> Payment:
    """The payment, locked after its order."""
    return session.scalars(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def note_attempt(session: Session, payment: Payment, failure: Failure) -> None:
    """Keep a declined try, once by its charge."""
    session.execute(
        insert(PaymentAttempt)
        .values(
            payment_id=payment.id,
            charge_id=failure.charge_id or f"{payment.provider_payment_id}:{failure.code}",
            code=failure.code,
            message=failure.message,
        )
        .on_conflict_do_nothing()
    )


def last_failure(session: Session, payment_id: int) -> PaymentAttempt | None:
    """Why the customer's last try was declined."""
    return session.scalar(
        select(PaymentAttempt)
        .where(PaymentAttempt.payment_id == payment_id)
        .order_by(PaymentAttempt.id.desc())
        .limit(1)
    )
