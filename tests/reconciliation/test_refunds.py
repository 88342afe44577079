"""Refunds and disputes that nobody told of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import refund
from providers import registry
from tests import shop
from tests.reconciliation.world import (
    TOTAL,
    UNKNOWN,
    Paying,
    findings,
    give_back,
    given_back,
    later,
    paid_stray,
    reconcile,
    refunds,
    staged,
    step,
    the_order,
)
from tests.sandbox.process import StripeProcess


def test_a_refund_made_in_the_dashboard_is_taken_over_once(paid: Paying) -> None:
    paid.give_back(amount=1000)
    paid.give_back(amount=500)
    for _ in range(2):
        reconcile("refunds")
    assert refunds() == [("succeeded", "provider", 500), ("succeeded", "provider", 1000)]
    assert given_back() == [(1500, 1500, False)]
    assert findings() == []
    assert shop.sql("SELECT kind FROM notification") == [("order_paid",)]


def test_a_refund_is_ours_if_it_bears_our_mark_though_its_answer_was_lost(paid: Paying) -> None:
    paid.sandbox.fault("refunds.create", "accept_then_cut")
    with shop.database() as session:
        refund.request(session, paid.id, who="staff:1", why="a test")
    shop.run_jobs("refunds.create")
    assert refunds() == [("unknown", "staff", TOTAL)]

    step("refunds")
    assert refunds() == [("succeeded", "staff", TOTAL)]
    assert given_back() == [(TOTAL, TOTAL, True)]
    assert findings() == []


def test_a_refund_that_went_on_there_goes_on_here(
    client: FlaskClient, sandbox: StripeProcess
) -> None:
    sandbox.control("config", {"refund_seconds": None})
    shop.make_item()
    paid = Paying(client, sandbox).pay("pm_card_pendingRefund").told()
    give_back(paid)
    assert refunds() == [("pending", "staff", TOTAL)]

    (made,) = sandbox.ledger()["refunds"]
    sandbox.control(f"refunds/{made['id']}/succeed")
    assert step("refunds") == "done"
    assert refunds() == [("succeeded", "staff", TOTAL)]


def test_a_refund_that_was_made_though_refused_and_then_failed_gets_its_name(
    client: FlaskClient, sandbox: StripeProcess
) -> None:
    sandbox.control("config", {"refund_seconds": None})
    shop.make_item()
    paid = Paying(client, sandbox).pay("pm_card_pendingRefund").told()
    sandbox.fault("refunds.create", "fail_after", status=400)
    with shop.database() as session:
        refund.request(session, paid.id, who="staff:1", why="a test")
    shop.run_jobs("refunds.create")
    (made,) = sandbox.ledger()["refunds"]
    sandbox.control(f"refunds/{made['id']}/fail")
    assert refunds() == [("failed", "staff", TOTAL)]

    later(hours=12)
    for _ in range(2):
        reconcile("refunds")
    named = "SELECT state, provider_refund_id FROM refund"
    assert shop.sql(named) == [("failed", made["id"])]
    assert given_back() == [(0, 0, False)]
    assert findings() == []


def test_a_refund_that_fails_weeks_later_is_found_within_a_day(paid: Paying) -> None:
    reconcile("refunds")
    give_back(paid)
    later(days=20)
    for _ in range(2):
        reconcile("refunds")
    (made,) = paid.sandbox.ledger()["refunds"]
    paid.sandbox.control(f"refunds/{made['id']}/fail")

    reconcile("refunds")  # of the last two days only
    assert refunds() == [("succeeded", "staff", TOTAL)]
    later(days=1)
    reconcile("refunds")
    assert refunds() == [("failed", "staff", TOTAL)]
    assert given_back() == [(0, 0, False)]
    assert the_order() == ("paid", True)


def test_a_refund_of_money_that_we_were_not_told_of_waits_for_its_payment(paying: Paying) -> None:
    paying.pay().give_back(amount=1000)
    reconcile("refunds")
    assert the_order() == ("paid", False)
    assert refunds() == []
    reconcile("refunds")
    assert given_back() == [(1000, 1000, False)]
    assert the_order() == ("paid", False)


def test_refunds_of_payments_that_are_not_ours_are_left_alone(paid: Paying) -> None:
    nobodys = paid_stray(paid.sandbox, UNKNOWN, metadata={})
    paid.sandbox.client().v1.refunds.create({"payment_intent": nobodys})
    reconcile("refunds")
    assert (refunds(), findings()) == ([], [])


def _list_refunds(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have the adapter list what there is, changed."""
    adapter = registry.get("stripe")
    (page,) = adapter.refunds_since(datetime.now(UTC) - timedelta(hours=1))
    changed = replace(page, found=[replace(each, **changes) for each in page.found])
    monkeypatch.setattr(adapter, "refunds_since", lambda *_: iter([changed]))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"amount_minor": 999},
            ("provider.refund_amount_agrees", "9.99 EUR there, 39.98 EUR here"),
        ),
        ({"state": "pending"}, ("provider.refund_state_agrees", "pending there, succeeded here")),
    ],
)
def test_a_refund_that_contradicts_ours_is_told_and_its_order_marked(
    paid: Paying, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], found: tuple[str, str]
) -> None:
    give_back(paid)
    later(minutes=10)
    with monkeypatch.context() as lying:
        _list_refunds(lying, **changes)
        reconcile("refunds")
    ((refund_id,),) = shop.sql("SELECT id FROM refund")
    assert findings() == [(found[0], refund_id, found[1])]
    assert the_order() == ("paid", True)
    assert refunds() == [("succeeded", "staff", TOTAL)]
    reconcile("refunds")
    assert findings() == []


def test_a_stale_list_of_refunds_undoes_nothing(
    paid: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read when the refund was still pending."""
    give_back(paid)
    _list_refunds(monkeypatch, state="pending")
    reconcile("refunds")
    assert (refunds(), findings()) == ([("succeeded", "staff", TOTAL)], [])


def test_a_list_alone_makes_no_failed_refund_good(
    paid: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_back(paid)
    later(minutes=10)
    (made,) = paid.sandbox.ledger()["refunds"]
    paid.sandbox.control(f"refunds/{made['id']}/fail")
    reconcile("refunds")
    assert refunds() == [("failed", "staff", TOTAL)]
    later(minutes=10)
    with monkeypatch.context() as lying:
        _list_refunds(lying, state="succeeded")
        reconcile("refunds")
    assert refunds() == [("failed", "staff", TOTAL)]


def test_a_refund_that_the_provider_does_not_know_is_told(paid: Paying) -> None:
    give_back(paid)
    later(minutes=10)
    paid.sandbox.control("reset")
    reconcile("refunds")
    ((promise, _, said),) = findings()
    assert promise == "provider.lists_the_refund"
    assert said == "succeeded here, and the provider does not know it"


# --- disputes ---


def test_a_dispute_that_nobody_told_of_is_found_when_it_opens_and_when_it_ends(
    paid: Paying,
) -> None:
    dispute = paid.sandbox.control(f"charges/{paid.charge()}/dispute")["id"]
    reconcile("disputes")
    assert shop.sql("SELECT state FROM dispute") == [("open",)]
    assert shop.sql("SELECT disputed FROM orders") == [(True,)]

    later(days=40)
    paid.sandbox.control(f"disputes/{dispute}/win")
    reconcile("disputes")
    assert shop.sql("SELECT state FROM dispute") == [("won",)]
    assert shop.sql("SELECT disputed FROM orders") == [(False,)]

    looks = staged("disputes.refresh")
    reconcile("disputes")
    assert staged("disputes.refresh") == looks
