"""Booking what a provider says: forward only, and never the wrong money."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

import settings
from models import asking, orders, payment, refunding, settling, starting
from models.intents import Failure, RefundSnapshot
from models.payment import Payment
from tests import shop
from tests.telling import (
    expire_unpaid,
    sent_payment,
    snapshot,
    sound,
    state_of,
    stock,
    tell,
    the_order,
)

SECRET = "pi_1_secret_of_its_owner"
STRIPE = starting.Way(provider="stripe")


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment over two of ten T-shirts that the provider has been asked for."""
    shop.make_item(units=10)
    return sent_payment(client)


@pytest.mark.parametrize("witness", ["answer", "event", "look"])
def test_success_makes_the_order_paid_takes_its_stock_and_stages_one_mail(
    payment_id: int, witness: str
) -> None:
    for _ in range(3):
        tell(payment_id, "succeeded", witness)

    assert the_order() == sound("paid")
    assert stock() == [(8, 0)]
    assert shop.sql("SELECT state, settles, received_minor FROM payment") == [
        ("succeeded", True, 3998)
    ]
    assert shop.sql("SELECT count(*) FROM notification") == [(1,)]


def test_two_workers_who_learn_of_one_success_book_it_once(payment_id: int) -> None:
    together = threading.Barrier(2)
    said = snapshot(payment_id, "succeeded")

    def book(witness: Any) -> None:
        with shop.database() as session:
            together.wait(timeout=10)
            settling.record(session, payment_id, said, witness=witness)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(book, ["event", "look"]))

    assert the_order() == sound("paid")
    assert stock() == [(8, 0)]
    assert shop.sql("SELECT count(*) FROM journal WHERE to_state = 'paid'") == [(1,)]


@pytest.mark.parametrize("witness", ["answer", "event", "look"])
@pytest.mark.parametrize(
    "contradiction",
    [
        {"amount_minor": 3997, "received_minor": 3997},
        {"received_minor": 1},
        {"received_minor": 3999},
        {"currency": "USD"},
        {"is_live": True},
    ],
    ids=str,
)
def test_money_that_is_not_ours_is_for_a_person_and_never_pays(
    payment_id: int, contradiction: dict[str, Any], witness: str
) -> None:
    tell(payment_id, "succeeded", witness, **contradiction)

    assert the_order() == {**sound("pending"), "needs_review": True}
    assert state_of(payment_id) == "sent"
    assert stock() == [(10, 2)]


def test_a_second_object_at_the_provider_that_claims_to_be_this_payment_is_for_a_person(
    payment_id: int,
) -> None:
    tell(payment_id, "open")
    tell(payment_id, "succeeded", provider_payment_id="pi_other")

    assert the_order() == {**sound("pending"), "needs_review": True}
    assert state_of(payment_id) == "open"


def test_an_event_may_come_before_the_answer_of_the_call_that_caused_it(payment_id: int) -> None:
    tell(payment_id, "succeeded", "event")
    tell(payment_id, "open", "answer", client_secret=SECRET)

    assert (state_of(payment_id), the_order()) == ("succeeded", sound("paid"))
    assert shop.sql("SELECT client_secret FROM payment") == [(None,)]


def test_the_secret_is_still_asked_for_if_an_event_has_told_of_the_payment_first(
    payment_id: int,
) -> None:
    tell(payment_id, "open", "event")
    with shop.database() as session:
        request = asking.begin(session, payment_id)
    assert request is not None
    tell(payment_id, "open", "answer", client_secret=SECRET)
    with shop.database() as session:
        assert session.get_one(Payment, payment_id).secret_for_owner == SECRET
        assert asking.begin(session, payment_id) is None


def test_the_secret_is_unreadable_at_rest_and_gone_when_the_payment_is_final(
    payment_id: int,
) -> None:
    tell(payment_id, "open", "answer", client_secret=SECRET)
    ((at_rest,),) = shop.sql("SELECT client_secret FROM payment")
    assert SECRET.encode() not in at_rest
    tell(payment_id, "succeeded")
    assert shop.sql("SELECT client_secret FROM payment") == [(None,)]


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ("succeeded", "open"),
        ("succeeded", "processing"),
        ("processing", "requires_action"),
        ("processing", "open"),
        ("requires_action", "open"),
        ("open", "cancelled"),
        ("requires_action", "failed"),
        ("cancelled", "open"),
    ],
)
def test_an_event_out_of_order_lowers_nothing_and_asks_for_a_look(
    payment_id: int, present: str, said: str
) -> None:
    tell(payment_id, present, "look")
    late = snapshot(payment_id, said)
    with shop.database() as session:
        row = session.get_one(Payment, payment_id)
        assert settling.could_lower(row, late)
    tell(payment_id, said, "event")
    tell(payment_id, said, "answer")
    assert state_of(payment_id) == present


@pytest.mark.parametrize(
    ("present", "said"),
    [("processing", "open"), ("open", "cancelled"), ("requires_action", "failed")],
)
def test_a_look_is_believed_even_if_it_goes_back(payment_id: int, present: str, said: str) -> None:
    tell(payment_id, present, "look")
    tell(payment_id, said, "look")
    assert state_of(payment_id) == said


def test_not_even_a_look_takes_a_success_back(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    tell(payment_id, "cancelled", "look")
    assert (state_of(payment_id), the_order()) == ("succeeded", sound("paid"))


def test_a_decline_leaves_the_payment_open_and_is_kept_once_for_each_charge(
    payment_id: int,
) -> None:
    tell(payment_id, "open")
    for charge in ("ch_1", "ch_1", "ch_2"):
        refusal = Failure(code="insufficient_funds", message="No.", charge_id=charge)
        tell(payment_id, "open", failure=refusal)

    assert state_of(payment_id) == "open"
    assert shop.sql("SELECT charge_id, code FROM payment_attempt ORDER BY id") == [
        ("ch_1", "insufficient_funds"),
        ("ch_2", "insufficient_funds"),
    ]
    assert the_order() == sound("pending")


def test_a_decline_that_comes_late_is_kept_without_lowering_anything(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    tell(payment_id, "open", failure=Failure(code="generic_decline", message="No.", charge_id="1"))
    assert state_of(payment_id) == "succeeded"
    assert shop.sql("SELECT code FROM payment_attempt") == [("generic_decline",)]


def test_late_money_gets_its_goods_if_they_can_be_held_again(payment_id: int) -> None:
    expire_unpaid(payment_id)
    assert stock() == [(10, 0)]
    tell(payment_id, "succeeded")
    assert the_order() == sound("paid")
    assert stock() == [(8, 0)]


def test_late_money_for_goods_that_are_gone_is_a_shortage_for_staff(client: FlaskClient) -> None:
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    rival = sent_payment(client)
    tell(rival, "succeeded")

    tell(late, "succeeded")

    assert the_order() == {**sound("paid"), "stock_shortage": True}
    assert stock() == [(0, 0)]
    assert shop.sql("SELECT count(*) FROM notification") == [(2,)]


def test_late_money_for_goods_of_which_some_are_gone_takes_none_of_them(
    client: FlaskClient,
) -> None:
    shop.make_item("A", units=5)
    shop.make_item("VASE", units=1, is_unique=True)
    body = shop.order_body("A")
    lines = [{**body["items"][0], "product_sku": sku, "quantity": 1} for sku in ("A", "VASE")]
    late = sent_payment(client, items=lines)
    expire_unpaid(late)
    shop.place(client, sku="VASE", quantity=1)

    tell(late, "succeeded")

    assert the_order() == {**sound("paid"), "stock_shortage": True}
    assert stock() == [(5, 0), (1, 1)]


def test_a_second_payment_of_an_order_is_given_back_and_touches_nothing(
    client: FlaskClient, payment_id: int
) -> None:
    tell(payment_id, "cancelled", "look")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    second = sent_payment(client, {"id": order_id})
    tell(second, "succeeded")

    for _ in range(2):
        tell(payment_id, "succeeded")

    assert the_order() == sound("paid")
    assert shop.sql("SELECT state, settles FROM payment ORDER BY id") == [
        ("succeeded", False),
        ("succeeded", True),
    ]
    assert shop.sql("SELECT payment_id, origin, state, amount_minor FROM refund") == [
        (payment_id, "surplus", "requested", 3998)
    ]
    assert stock() == [(8, 0)]


def test_a_second_payment_that_was_given_back_by_hand_is_not_given_back_again(
    client: FlaskClient, payment_id: int
) -> None:
    tell(payment_id, "cancelled", "look")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    tell(sent_payment(client, {"id": order_id}), "succeeded")
    given_back = RefundSnapshot(
        provider_refund_id="re_1",
        provider_payment_id=f"pi_{payment_id}",
        marked_refund_id=None,
        state="succeeded",
        amount_minor=3998,
        currency="EUR",
        created_at=datetime.now(UTC),
    )
    with shop.database() as session:
        refunding.book(session, payment_id, given_back)

    tell(payment_id, "succeeded")

    assert the_order() == sound("paid")
    assert shop.sql("SELECT origin FROM refund") == [("provider",)]


def test_late_money_goes_back_by_itself_if_the_shop_wants_that(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings.current(), late_payment_policy="refund")
    monkeypatch.setattr("settings.current", lambda: chosen)
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    tell(sent_payment(client), "succeeded")

    for _ in range(2):
        tell(late, "succeeded")

    assert the_order() == sound("expired")
    assert shop.sql("SELECT payment_id, origin, amount_minor FROM refund") == [(late, "late", 3998)]
    assert stock() == [(0, 0)]


def test_late_money_whose_goods_are_there_is_kept_whatever_the_policy(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings.current(), late_payment_policy="refund")
    monkeypatch.setattr("settings.current", lambda: chosen)
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    tell(late, "succeeded")
    assert the_order() == sound("paid")
    assert shop.sql("SELECT count(*) FROM refund") == [(0,)]


def test_a_contradiction_that_is_repeated_is_said_once(payment_id: int) -> None:
    for _ in range(3):
        tell(payment_id, "succeeded", amount_minor=1, received_minor=1)
    entries = "SELECT count(*) FROM journal WHERE what = 'order.needs_review'"
    assert shop.sql(entries) == [(1,)]


def test_an_order_has_one_live_payment_however_often_it_is_started(payment_id: int) -> None:
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    with shop.database() as session:
        assert starting.start(session, order_id, STRIPE, who="guest").id == payment_id
    tell(payment_id, "succeeded")
    with pytest.raises(starting.AlreadyPaidError), shop.database() as session:
        starting.start(session, order_id, STRIPE, who="guest")


def test_a_refusal_fails_a_payment_only_if_no_answer_was_lost(
    client: FlaskClient, payment_id: int
) -> None:
    with shop.database() as session:
        asking.mark_unknown(session, payment_id)
        asking.refuse(session, payment_id, why="no such thing")
    assert (state_of(payment_id), the_order()["needs_review"]) == ("unknown", True)

    other = sent_payment(client)
    with shop.database() as session:
        asking.refuse(session, other, why="no such thing")
    assert state_of(other) == "failed"
    assert shop.sql("SELECT needs_review FROM orders ORDER BY id") == [(True,), (False,)]


def test_a_payment_refused_while_its_order_is_closing_ends_the_order(payment_id: int) -> None:
    with shop.database() as session:
        order, _ = payment.lock_with_order(session, payment_id)
        orders.begin_closing(session, order, "cancelled", who="guest", why="changed my mind")
        asking.refuse(session, payment_id, why="no such thing")
    assert the_order() == sound("cancelled")
    assert stock() == [(10, 0)]
