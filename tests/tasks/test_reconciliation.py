"""The reconciler against a provider that tells nothing: what is certain is mended, the rest told.

No webhook is ever delivered here.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import job
from providers import registry
from tasks import comparing
from tasks.base import drain, perform
from tests import shop
from tests.sandbox.process import StripeProcess

pytestmark = pytest.mark.usefixtures("app")

TOTAL = 3998
MARK = {"app": "orders-test"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_PATIENCE_SECONDS", 0)


@pytest.fixture
def sandbox(stripe_sandbox: StripeProcess) -> Iterator[StripeProcess]:
    """The provider with an empty ledger, whose clock goes with ours."""
    stripe_sandbox.control("reset")
    yield stripe_sandbox
    stripe_sandbox.control("reset")


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
        _look(self.id, "payments.refresh")
        _later(minutes=10)
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


@pytest.fixture
def paying(client: FlaskClient, sandbox: StripeProcess) -> Paying:
    shop.make_item()
    return Paying(client, sandbox)


def _look(payment_id: int, kind: str) -> None:
    with shop.database() as session:
        job.stage(session, kind, key=f"{kind}:{next(shop._numbers)}", payment_id=payment_id)
    drain()


def _later(**duration: float) -> None:
    """Let time pass for us and for the provider."""
    from tests.conftest import _stripe  # noqa: PLC0415 - it is started by then

    shop.let_pass(**duration)
    _stripe.control("clock", {"advance_seconds": int(timedelta(**duration).total_seconds())})


def _step(compared: str) -> str:
    """Have one step done; how its job stands."""
    key = f"test:{next(shop._numbers)}"
    with shop.database() as session:
        job.stage(session, f"reconcile.{compared}", key=key)
    ((job_id,),) = shop.sql("SELECT id FROM job WHERE dedupe_key = :key", key=key)
    perform(job_id)
    ((state,),) = shop.sql("SELECT state FROM job WHERE id = :job_id", job_id=job_id)
    return str(state)


def _reconcile(compared: str = "payments") -> None:
    """Have it compared, and all done that follows."""
    assert _step(compared) == "done"
    drain()


def _findings() -> list[tuple[str, int, str]]:
    """What is open, by promise, row and what is said."""
    return shop.sql(
        "SELECT promise, subject_id, detail FROM finding WHERE closed_at IS NULL ORDER BY id"
    )


def _staged(kind: str) -> int:
    ((number,),) = shop.sql("SELECT count(*) FROM job WHERE kind = :kind", kind=kind)
    return int(number)


def _order() -> tuple[str, bool]:
    ((state, needs_review),) = shop.sql("SELECT state, needs_review FROM orders")
    return state, needs_review


def _intent(sandbox: StripeProcess, intent_id: str) -> str:
    """How an intent stands at the provider."""
    return str(sandbox.client().v1.payment_intents.retrieve(intent_id).status)


def _stray(sandbox: StripeProcess, payment_id: int, **changes: Any) -> str:
    """An intent that bears our mark; its id."""
    metadata = {**MARK, "payment_id": str(payment_id)}
    params: Any = {"amount": TOTAL, "currency": "eur", "metadata": metadata, **changes}
    return str(sandbox.client().v1.payment_intents.create(params).id)


def _paid_stray(sandbox: StripeProcess, payment_id: int) -> str:
    stray = _stray(sandbox, payment_id)
    sandbox.control(f"payment_intents/{stray}/pay")
    return stray


# --- payments: what was not told ---


def test_a_success_that_nobody_told_of_makes_its_order_paid(paying: Paying) -> None:
    paying.pay()
    _reconcile()
    assert _order() == ("paid", False)
    assert shop.sql("SELECT stock, held FROM stock_item") == [(8, 0)]
    assert _findings() == []


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda paying: paying.pay("pm_card_authenticationRequired"), "requires_action"),
        (
            lambda paying: paying.sandbox.control(f"payment_intents/{paying.intent}/cancel"),
            "cancelled",
        ),
    ],
)
def test_any_other_news_that_nobody_told_of_is_looked_at(
    paying: Paying, act: Callable[[Paying], object], state: str
) -> None:
    act(paying)
    _reconcile()
    assert shop.sql("SELECT state FROM payment") == [(state,)]
    assert _findings() == []


def test_what_agrees_makes_no_work(paying: Paying) -> None:
    paying.pay().told()
    looks = _staged("payments.refresh")
    _reconcile()
    assert _staged("payments.refresh") == looks
    assert _findings() == []


def test_what_is_told_while_the_list_is_read_makes_no_work(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of what was just paid comes between the two looks."""
    paying.pay()

    def told_meanwhile(_seconds: float) -> None:
        with ThreadPoolExecutor(1) as another:
            another.submit(_look, paying.id, "payments.refresh").result()

    monkeypatch.setattr("tasks.comparing.time.sleep", told_meanwhile)
    assert _step("payments") == "done"
    assert _staged("payments.refresh") == 1
    assert _order() == ("paid", False)


def test_a_stale_list_undoes_nothing(paying: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read before the payment was made, and judged after."""
    adapter = registry.get("stripe")
    stale = list(adapter.list_since(datetime.now(UTC) - timedelta(hours=1)))
    monkeypatch.setattr(adapter, "list_since", lambda *_: iter(stale))
    paying.pay()
    _look(paying.id, "payments.refresh")

    _reconcile()
    assert (_order(), _findings()) == (("paid", False), [])

    _later(minutes=10)  # now the same list is no longer one of that time
    _reconcile()
    assert _findings() == [("provider.state_agrees", paying.id, "open there, succeeded here")]
    assert _order() == ("paid", True)


def test_a_payment_that_we_called_off_is_closed_at_the_provider(paying: Paying) -> None:
    _end(paying.id, "cancelled")
    _later(minutes=10)
    _reconcile()
    assert _intent(paying.sandbox, paying.intent) == "canceled"
    assert _findings() == []


def _end(payment_id: int, state: str) -> None:
    with shop.database() as session:
        from models import journal  # noqa: PLC0415
        from models.payment import STATES, Payment  # noqa: PLC0415
        from models.session import now  # noqa: PLC0415

        row = session.get_one(Payment, payment_id)
        journal.move(
            session, row, STATES, state, who="test", why="", ended_at=now(), client_secret=None
        )


# --- payments: what is nobody's ---


def test_an_open_payment_that_no_row_knows_is_closed(paying: Paying) -> None:
    _later(minutes=1)
    stray = _stray(paying.sandbox, 10**6)
    _reconcile()
    assert _intent(paying.sandbox, stray) == "canceled"
    assert _intent(paying.sandbox, paying.intent) == "requires_payment_method"
    assert _findings() == []


def test_a_database_that_is_younger_than_the_payment_closes_nothing(
    client: FlaskClient, sandbox: StripeProcess
) -> None:
    """A new one that was set up by mistake must not end the payments of the true one."""
    stray = _stray(sandbox, 10**6)
    _later(minutes=1)
    shop.make_item()
    Paying(client, sandbox)
    _reconcile()
    assert _intent(sandbox, stray) == "requires_payment_method"
    assert _findings() == [("provider.payment_is_ours", 10**6, "open, and not known here")]


def test_money_that_no_row_knows_is_told_until_it_is_given_back(paying: Paying) -> None:
    """As after the database was restored from a backup."""
    stray = _paid_stray(paying.sandbox, 10**6)
    said = "succeeded, and not known here: it holds {} EUR"
    _reconcile()
    assert _findings() == [("provider.payment_is_ours", 10**6, said.format("39.98"))]
    assert _intent(paying.sandbox, stray) == "succeeded"

    refunds = paying.sandbox.client().v1.refunds
    refunds.create({"payment_intent": stray, "amount": 1000})
    _reconcile()
    assert _findings() == [("provider.payment_is_ours", 10**6, said.format("29.98"))]

    _later(days=5)  # the list of those days does not show it any more
    _reconcile()
    assert len(_findings()) == 1
    refunds.create({"payment_intent": stray})
    _reconcile()
    assert _findings() == []


def test_the_second_payment_of_a_row_is_closed(paying: Paying) -> None:
    second = _stray(paying.sandbox, paying.id)
    _reconcile()
    assert _intent(paying.sandbox, second) == "canceled"
    assert _intent(paying.sandbox, paying.intent) == "requires_payment_method"
    assert _findings() == []
    assert _order() == ("pending", False)


def test_the_second_payment_of_a_row_that_is_paid_is_told_once(paying: Paying) -> None:
    _paid_stray(paying.sandbox, paying.id)
    paying.pay().told()
    _reconcile()
    said = f"succeeded, and not {paying.intent} of this payment: it holds 39.98 EUR"
    assert _findings() == [("provider.payment_is_opened_once", paying.id, said)]
    assert _order() == ("paid", True)

    shop.sql("UPDATE orders SET needs_review = false RETURNING id")
    _reconcile()
    assert len(_findings()) == 1
    assert _order() == ("paid", False)  # whoever took the mark off knows


def test_a_closing_that_came_to_nothing_is_told(paying: Paying) -> None:
    second = _stray(paying.sandbox, paying.id)
    _reconcile()
    shop.sql("UPDATE job SET state = 'dead', last_error = 'in flight' RETURNING id")
    paying.sandbox.control("reset")
    second = _paid_stray(paying.sandbox, paying.id)
    assert second
    _reconcile()
    assert [promise for promise, *_ in _findings()] == ["provider.payment_is_opened_once"]


def test_another_amount_is_told_and_its_order_marked(paying: Paying) -> None:
    paying.sandbox.client().v1.payment_intents.update(paying.intent, {"amount": 5000})
    paying.pay()
    _reconcile()
    assert _findings() == [("provider.amount_agrees", paying.id, "50.00 EUR there, 39.98 EUR here")]
    assert _order() == ("pending", True)


def test_what_the_provider_does_not_know_is_told(paying: Paying) -> None:
    """As if the shop's key were of another account."""
    paying.pay().told()
    paying.sandbox.control("reset")
    _reconcile()
    said = "succeeded here, and the provider does not know it"
    assert _findings() == [("provider.lists_the_payment", paying.id, said)]
    assert _order() == ("paid", False)


def test_what_is_not_listed_but_known_is_no_finding(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    paying.pay().told()
    monkeypatch.setattr(registry.get("stripe"), "list_since", lambda *_: iter([]))
    _reconcile()
    assert _findings() == []


def test_payments_of_others_are_none_of_our_business(paying: Paying) -> None:
    other = _stray(paying.sandbox, 10**6, metadata={"app": "orders-other", "payment_id": "1"})
    nobodys = _stray(paying.sandbox, 10**6, metadata={})
    _reconcile()
    assert {_intent(paying.sandbox, each) for each in (other, nobodys)} == {
        "requires_payment_method"
    }
    assert _findings() == []
