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
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import journal, orders, sealed
from models.base import Base, BigId, Json
from models.intents import Failure
from models.orders import Order
from models.rows import Rows
from models.session import now, signal_after_commit

_ANSWERS = frozenset(
    {"open", "requires_action", "processing", "authorised", "succeeded", "cancelled", "failed"}
)
STATES: journal.StateTable = {
    "waiting": frozenset({"created", "cancelled"}),
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
LIVE = frozenset(STATES) - FINAL - {"waiting"}
"""In which it may still take money: of an order, one payment at most."""
UNSENT = frozenset({"waiting", "created"})
"""In which no provider has heard of it."""
UNANSWERED = frozenset({"created", "sent", "unknown"})
"""Live states in which no answer of the provider has been booked yet."""
RUNNING = frozenset({"sent", "unknown", "requires_action", "processing", "authorised"})
"""Live states in which the customer or the provider is at work."""


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
        Index(
            "uq_payment_waiting",
            "order_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("uq_payment_settles", "order_id", unique=True, postgresql_where=text("settles")),
        Index(None, "order_id"),
        Index(None, "sent_at"),
        Index("ix_payment_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
        CheckConstraint("refunded_minor >= 0", name="refunded_not_negative"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    provider: Mapped[str]
    method: Mapped[str | None]
    """The way to pay that the buyer has chosen; None: whatever the provider offers by itself."""
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
    redirect_url: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The provider's page where the buyer goes on: sealed; erased when there is none any more."""
    return_url: Mapped[str | None]
    """Where the buyer comes back to from there: frozen with the request."""
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
        """Whether what the buyer needs is still to come: of that, events say nothing."""
        has_answer = self.client_secret is not None or self.redirect_url is not None
        return self.state not in FINAL and not has_answer

    @property
    def is_used_up(self) -> bool:
        """Whether it is open, but its buyer was refused on the provider's page, which is gone."""
        is_led_away = self.return_url is not None
        return (
            is_led_away
            and self.state == "open"
            and self.redirect_url is None
            and not self.lacks_answer
        )

    @property
    def secret_for_owner(self) -> str | None:
        """The client secret, readable; for the order's owner only."""
        return sealed.unseal(self.client_secret) if self.client_secret else None

    @property
    def redirect_for_owner(self) -> str | None:
        """The page where the buyer goes on, readable; for the order's owner only."""
        return sealed.unseal(self.redirect_url) if self.redirect_url else None


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


_FIND = Rows(Payment, "WHERE id = %(payment_id)s")
_LOCK = Rows(Payment, "WHERE id = %(payment_id)s FOR NO KEY UPDATE")
_LIVE = Rows(Payment, f"WHERE order_id = %(order_id)s AND {_in(LIVE)}")
_WAITING = Rows(Payment, "WHERE order_id = %(order_id)s AND state = 'waiting'")
_UNENDED = Rows(
    Payment, f"WHERE order_id = %(order_id)s AND ({_in(LIVE)} OR state = 'waiting') ORDER BY id"
)
_OF_ORDER = Rows(Payment, "WHERE order_id = %(order_id)s ORDER BY id")
_LAST_ATTEMPT = Rows(PaymentAttempt, "WHERE payment_id = %(payment_id)s ORDER BY id DESC LIMIT 1")


def find(session: Session, payment_id: int) -> Payment:
    """The payment as it is at this moment; raises NoResultFound."""
    return _FIND.one(session, payment_id=payment_id)


def live_of(session: Session, order_id: int) -> Payment | None:
    """The one payment of the order that may still take money in the ordinary way."""
    return _LIVE.first(session, order_id=order_id)


def unended_of(session: Session, order_id: int) -> tuple[Payment | None, Payment | None]:
    """The live payment of the order, and the one that begins when that has ended."""
    found = _UNENDED.all(session, order_id=order_id)
    live = next((row for row in found if row.is_live), None)
    return live, next((row for row in found if row.state == "waiting"), None)


def waiting_of(session: Session, order_id: int) -> Payment | None:
    """The payment of the order that begins when its live one has ended."""
    return _WAITING.first(session, order_id=order_id)


def of_order(session: Session, order_id: int) -> Sequence[Payment]:
    """All payments of an order, oldest first."""
    return _OF_ORDER.all(session, order_id=order_id)


def lock_with_order(session: Session, payment_id: int) -> tuple[Order, Payment]:
    """The payment and its order, locked in the order that all locks are taken in."""
    return orders.lock_of_payment(session, payment_id), lock(session, payment_id)


def cancel_unsent(session: Session, payment: Payment, *, why: str) -> None:
    """End a payment of which no provider has heard."""
    journal.move(
        session,
        payment,
        dict.fromkeys(UNSENT, frozenset({"cancelled"})),
        "cancelled",
        who="system",
        why=why,
        ended_at=now(),
        look_at=None,
    )
    signal_after_commit(session, f"payment:{payment.id}")


def lock(session: Session, payment_id: int) -> Payment:
    """The payment, locked after its order."""
    return _LOCK.one(session, payment_id=payment_id)


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
    return _LAST_ATTEMPT.first(session, payment_id=payment_id)
