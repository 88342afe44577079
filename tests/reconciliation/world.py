"""A shop whose provider tells it nothing: no webhook is ever delivered here."""

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from models import job, refund
from tasks.base import drain, perform
from tests import shop
from tests.sandbox.process import StripeProcess

TOTAL = 3998
UNKNOWN = 10**9
"""The id of no payment."""
MARK = {"app": "orders-test"}


class Paying:
    """An order's payment, open at the provider."""

    def __init__(self, client: FlaskClient, sandbox: StripeProcess) -> None:
        self.sandbox = sandbox
        self.order = shop.place(client)
        opened = shop.open_payment(client, self.order)
        self.id, self.secret = opened["payment_id"], opened["client_secret"]
        self.intent = self.secret.partition("_secret_")[0]

    def pay(self, method: str = "pm_card_visa") -> "Paying":
        shop.pay(self.sandbox, self.secret, method)
        return self

    def told(self) -> "Paying":
        """Have us know how it stands, and let ten minutes pass."""
        look(self.id, "payments.refresh")
        later(minutes=10)
        return self

    def charge(self) -> str:
        """The id of its charge."""
        ((charge,),) = [
            [each["id"]]
            for each in self.sandbox.ledger()["charges"]
            if each["payment_intent"] == self.intent and each["captured"]
        ]
        return str(charge)

    def give_back(self, **details: Any) -> str:
        """Refund it in the provider's dashboard; the refund's id."""
        made = self.sandbox.control(f"charges/{self.charge()}/refund", details)
        return str(made["id"])


def look(payment_id: int, kind: str) -> None:
    with shop.database() as session:
        job.stage(session, kind, key=f"{kind}:{next(shop._numbers)}", payment_id=payment_id)
    drain()


def later(**duration: float) -> None:
    """Let time pass for us and for the provider."""
    from tests.conftest import _stripe  # noqa: PLC0415 - it is started by then

    shop.let_pass(**duration)
    _stripe.control("clock", {"advance_seconds": int(timedelta(**duration).total_seconds())})


def step(compared: str) -> str:
    """Have one step done; how its job stands."""
    key = f"test:{next(shop._numbers)}"
    with shop.database() as session:
        job.stage(session, f"reconcile.{compared}", key=key)
    ((job_id,),) = shop.sql("SELECT id FROM job WHERE dedupe_key = :key", key=key)
    perform(job_id)
    ((state,),) = shop.sql("SELECT state FROM job WHERE id = :job_id", job_id=job_id)
    return str(state)


def reconcile(compared: str = "payments") -> None:
    """Have it compared, and all done that follows."""
    assert step(compared) == "done"
    drain()


def findings() -> list[tuple[str, int, str]]:
    """What is open, by promise, row and what is said."""
    return shop.sql(
        "SELECT promise, subject_id, detail FROM finding WHERE closed_at IS NULL ORDER BY id"
    )


def staged(kind: str) -> int:
    ((number,),) = shop.sql("SELECT count(*) FROM job WHERE kind = :kind", kind=kind)
    return int(number)


def the_order() -> tuple[str, bool]:
    ((state, needs_review),) = shop.sql("SELECT state, needs_review FROM orders")
    return state, needs_review


def intent(sandbox: StripeProcess, intent_id: str) -> str:
    """How an intent stands at the provider."""
    return str(sandbox.client().v1.payment_intents.retrieve(intent_id).status)


def stray(sandbox: StripeProcess, payment_id: int, **changes: Any) -> str:
    """An intent that bears our mark; its id."""
    metadata = {**MARK, "payment_id": str(payment_id)}
    params: Any = {"amount": TOTAL, "currency": "eur", "metadata": metadata, **changes}
    return str(sandbox.client().v1.payment_intents.create(params).id)


def paid_stray(sandbox: StripeProcess, payment_id: int, **changes: Any) -> str:
    paid = stray(sandbox, payment_id, **changes)
    sandbox.control(f"payment_intents/{paid}/pay")
    return paid


def refunds() -> list[tuple[str, str, int]]:
    return shop.sql("SELECT state, origin, amount_minor FROM refund ORDER BY id")


def given_back() -> list[tuple[int, int, bool]]:
    return shop.sql(
        "SELECT payment.refunded_minor, orders.refunded_minor, refunded_at IS NOT NULL"
        " FROM payment JOIN orders ON orders.id = order_id ORDER BY payment.id"
    )


def give_back(paid: Paying, amount_minor: int | None = None) -> None:
    """Have it given back as staff do, and made at the provider."""
    with shop.database() as session:
        refund.request(session, paid.id, amount_minor=amount_minor, who="staff:1", why="a test")
    drain()
