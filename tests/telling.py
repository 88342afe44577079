"""What a provider says of a payment, told to the models without any provider."""

from dataclasses import replace
from typing import Any

from flask.testing import FlaskClient

from models import asking, closing, settling, starting
from models.intents import PaymentSnapshot
from models.payment import Payment
from tests import shop


def sent_payment(client: FlaskClient, order: Any = None, **order_changes: Any) -> int:
    """A payment that a provider has been asked for; its id."""
    order = order or shop.place(client, **order_changes)
    with shop.database() as session:
        started = starting.start(session, order["id"], starting.Way(provider="stripe"), who="guest")
        asking.begin(session, started.id)
    return started.id


def snapshot(payment_id: int, state: Any, **changes: Any) -> PaymentSnapshot:
    """What the provider would truly say of this payment."""
    with shop.database() as session:
        row = session.get_one(Payment, payment_id)
    said = PaymentSnapshot(
        provider_payment_id=row.provider_payment_id or f"pi_{payment_id}",
        state=state,
        amount_minor=row.amount_minor,
        received_minor=row.amount_minor if state == "succeeded" else 0,
        currency=row.currency,
        is_live=False,
    )
    return replace(said, **changes)


def tell(payment_id: int, state: str, witness: Any = "event", **changes: Any) -> None:
    """Book it, as `witness` says."""
    said = snapshot(payment_id, state, **changes)
    with shop.database() as session:
        settling.record(session, payment_id, said, witness=witness)


def state_of(payment_id: int) -> str:
    ((state,),) = shop.sql(
        "SELECT state FROM payment WHERE id = :payment_id", payment_id=payment_id
    )
    return str(state)


def the_order() -> dict[str, Any]:
    """The first order: its state and its flags."""
    ((state, shortage, review),) = shop.sql(
        "SELECT state, stock_shortage, needs_review FROM orders ORDER BY id LIMIT 1"
    )
    return {"state": state, "stock_shortage": shortage, "needs_review": review}


def sound(state: str) -> dict[str, Any]:
    """An order in this state with which nothing is wrong."""
    return {"state": state, "stock_shortage": False, "needs_review": False}


def stock() -> list[Any]:
    """Units and holds of each item."""
    return shop.sql("SELECT stock, held FROM stock_item ORDER BY id")


def expire_unpaid(payment_id: int) -> None:
    """Let the payment's order end, its payment closed at the provider."""
    shop.let_pass(minutes=20)
    for _ in range(2):  # a running payment gets more time once
        with shop.database() as session:
            closing.expire(session, session.get_one(Payment, payment_id).order_id)
        shop.let_pass(minutes=20)
    tell(payment_id, "cancelled", "look")
    assert the_order()["state"] == "expired"
