"""What of payments is mended when nobody tells of it, and what is left to a person."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from providers import registry
from tasks.base import drain
from tests import shop
from tests.reconciliation.world import (
    UNKNOWN,
    Paying,
    findings,
    intent,
    later,
    look,
    paid_stray,
    reconcile,
    staged,
    step,
    stray,
    the_order,
)
from tests.sandbox.process import StripeProcess

# --- what was not told ---


def test_a_success_that_nobody_told_of_makes_its_order_paid(paying: Paying) -> None:
    paying.pay()
    reconcile()
    assert the_order() == ("paid", False)
    assert shop.sql("SELECT stock, held FROM stock_item") == [(8, 0)]
    assert findings() == []


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
    reconcile()
    assert shop.sql("SELECT state FROM payment") == [(state,)]
    assert findings() == []


def test_what_agrees_makes_no_work(paying: Paying) -> None:
    paying.pay().told()
    looks = staged("payments.refresh")
    reconcile()
    assert staged("payments.refresh") == looks
    assert findings() == []


def test_what_is_told_while_the_list_is_read_makes_no_work(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of what was just paid comes between the two looks."""
    paying.pay()

    def told_meanwhile(_seconds: float) -> None:
        with ThreadPoolExecutor(1) as another:
            another.submit(look, paying.id, "payments.refresh").result()

    monkeypatch.setattr("tasks.comparing.time.sleep", told_meanwhile)
    assert step("payments") == "done"
    assert staged("payments.refresh") == 1
    assert the_order() == ("paid", False)


def test_a_stale_list_undoes_nothing(paying: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read before the payment was made, and judged after."""
    adapter = registry.get("stripe")
    stale = list(adapter.list_since(datetime.now(UTC) - timedelta(hours=1)))
    monkeypatch.setattr(adapter, "list_since", lambda *_: iter(stale))
    paying.pay()
    look(paying.id, "payments.refresh")

    reconcile()
    assert (the_order(), findings()) == (("paid", False), [])

    later(minutes=10)  # now the same list is no longer one of that time
    reconcile()
    assert findings() == [("provider.state_agrees", paying.id, "open there, succeeded here")]
    assert the_order() == ("paid", True)


def test_a_payment_that_we_called_off_is_closed_at_the_provider(paying: Paying) -> None:
    _end(paying.id, "cancelled")
    later(minutes=10)
    reconcile()
    assert intent(paying.sandbox, paying.intent) == "canceled"
    assert findings() == []


def _end(payment_id: int, state: str) -> None:
    with shop.database() as session:
        from models import journal  # noqa: PLC0415
        from models.payment import STATES, Payment  # noqa: PLC0415
        from models.session import now  # noqa: PLC0415

        row = session.get_one(Payment, payment_id)
        journal.move(
            session, row, STATES, state, who="test", why="", ended_at=now(), client_secret=None
        )


# --- what is nobody's ---


def test_an_open_payment_that_no_row_knows_is_closed(paying: Paying) -> None:
    later(minutes=1)
    unknown = stray(paying.sandbox, UNKNOWN)
    reconcile()
    assert intent(paying.sandbox, unknown) == "canceled"
    assert intent(paying.sandbox, paying.intent) == "requires_payment_method"
    assert findings() == []


def test_a_database_that_is_younger_than_the_payment_closes_nothing(
    client: FlaskClient, sandbox: StripeProcess
) -> None:
    """A new one that was set up by mistake must not end the payments of the true one."""
    unknown = stray(sandbox, UNKNOWN)
    later(minutes=1)
    shop.make_item()
    Paying(client, sandbox)
    reconcile()
    assert intent(sandbox, unknown) == "requires_payment_method"
    assert findings() == [("provider.payment_is_ours", UNKNOWN, "open, and not known here")]


def test_money_that_no_row_knows_is_told_until_it_is_given_back(paying: Paying) -> None:
    """As after the database was restored from a backup."""
    stray = paid_stray(paying.sandbox, UNKNOWN)
    said = "succeeded, and not known here: it holds {} EUR"
    reconcile()
    assert findings() == [("provider.payment_is_ours", UNKNOWN, said.format("39.98"))]
    assert intent(paying.sandbox, stray) == "succeeded"

    refunds = paying.sandbox.client().v1.refunds
    refunds.create({"payment_intent": stray, "amount": 1000})
    reconcile()
    assert findings() == [("provider.payment_is_ours", UNKNOWN, said.format("29.98"))]

    later(days=5)  # the list of those days does not show it any more
    reconcile()
    assert len(findings()) == 1
    refunds.create({"payment_intent": stray})
    reconcile()
    assert findings() == []


def test_the_second_payment_of_a_row_is_closed(paying: Paying) -> None:
    second = stray(paying.sandbox, paying.id)
    reconcile()
    assert intent(paying.sandbox, second) == "canceled"
    assert intent(paying.sandbox, paying.intent) == "requires_payment_method"
    assert findings() == []
    assert the_order() == ("pending", False)


def test_the_second_payment_of_a_row_that_is_paid_is_told_once(paying: Paying) -> None:
    paid_stray(paying.sandbox, paying.id)
    paying.pay().told()
    reconcile()
    said = f"succeeded, and not {paying.intent} of this payment: it holds 39.98 EUR"
    assert findings() == [("provider.payment_is_opened_once", paying.id, said)]
    assert the_order() == ("paid", True)

    shop.sql("UPDATE orders SET needs_review = false RETURNING id")
    reconcile()
    assert len(findings()) == 1
    assert the_order() == ("paid", False)  # whoever took the mark off knows


def test_a_closing_that_came_to_nothing_is_told(paying: Paying) -> None:
    second = stray(paying.sandbox, paying.id)
    assert step("payments") == "done"
    shop.sql("UPDATE job SET state = 'dead', last_error = 'in flight' RETURNING id")
    for _ in range(2):
        reconcile()
    ((promise, payment_id, said),) = findings()
    assert (promise, payment_id) == ("provider.payment_is_opened_once", paying.id)
    assert said == f"open, and not {paying.intent} of this payment"
    assert intent(paying.sandbox, second) == "requires_payment_method"


def test_a_stray_that_is_paid_before_it_is_closed_keeps_its_money(paying: Paying) -> None:
    later(minutes=1)
    unknown = stray(paying.sandbox, UNKNOWN)
    assert step("payments") == "done"
    paying.sandbox.control(f"payment_intents/{unknown}/pay")
    drain()
    assert shop.sql("SELECT state FROM job WHERE kind = 'payments.close_stray'") == [("done",)]
    assert intent(paying.sandbox, unknown) == "succeeded"
    reconcile()
    assert [promise for promise, *_ in findings()] == ["provider.payment_is_ours"]


def test_a_stray_with_money_in_flight_is_waited_for(paying: Paying) -> None:
    later(minutes=1)
    unknown = stray(paying.sandbox, UNKNOWN)
    slow = {"payment_method": "pm_card_processing"}
    paying.sandbox.control(f"payment_intents/{unknown}/pay", slow)
    reconcile()
    assert shop.sql("SELECT state FROM job WHERE kind = 'payments.close_stray'") == [("ready",)]
    paying.sandbox.control(f"payment_intents/{unknown}/fail_processing")
    shop.let_pass(minutes=1)
    drain()
    assert intent(paying.sandbox, unknown) == "canceled"
    assert findings() == []


def test_another_amount_is_told_and_its_order_marked(paying: Paying) -> None:
    paying.sandbox.client().v1.payment_intents.update(paying.intent, {"amount": 5000})
    paying.pay()
    reconcile()
    assert findings() == [("provider.amount_agrees", paying.id, "50.00 EUR there, 39.98 EUR here")]
    assert the_order() == ("pending", True)


def test_what_the_provider_does_not_know_is_told(paying: Paying) -> None:
    """As if the shop's key were of another account."""
    paying.pay().told()
    paying.sandbox.control("reset")
    reconcile()
    said = "succeeded here, and the provider does not know it"
    assert findings() == [("provider.lists_the_payment", paying.id, said)]
    assert the_order() == ("paid", False)


def test_what_is_not_listed_but_known_is_no_finding(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    paying.pay().told()
    monkeypatch.setattr(registry.get("stripe"), "list_since", lambda *_: iter([]))
    reconcile()
    assert findings() == []


def test_payments_of_others_are_none_of_our_business(paying: Paying) -> None:
    other = stray(paying.sandbox, UNKNOWN, metadata={"app": "orders-other", "payment_id": "1"})
    nobodys = stray(paying.sandbox, UNKNOWN, metadata={})
    reconcile()
    assert {intent(paying.sandbox, each) for each in (other, nobodys)} == {
        "requires_payment_method"
    }
    assert findings() == []
