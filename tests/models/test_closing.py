"""Closing an unpaid order: the provider is asked first, and a hold has no other end."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import closing
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sound, stock, the_order


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    """An order of two of ten T-shirts."""
    shop.make_item(units=10)
    return shop.place(client)


@pytest.fixture
def secret(client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]) -> str:
    """The client secret of the order's payment, open at the provider."""
    return str(shop.open_payment(client, order)["client_secret"])


@pytest.fixture
def in_flight(client: FlaskClient, stripe_sandbox: StripeProcess, secret: str) -> str:
    """The provider's id of a payment about which the bank has not spoken yet."""
    shop.pay(stripe_sandbox, secret, "pm_card_processing")
    events = shop.events_of(stripe_sandbox, secret)
    shop.deliver(client, events["payment_intent.processing"])
    drain()
    return secret.partition("_secret_")[0]


def at_provider(stripe_sandbox: StripeProcess) -> list[str]:
    """Where the intents of the last payment stand at the provider."""
    ((payment_id,),) = shop.sql("SELECT max(id) FROM payment")
    return [
        intent["status"]
        for intent in stripe_sandbox.ledger()["payment_intents"]
        if intent["metadata"].get("payment_id") == str(payment_id)
    ]


def progress() -> list[Any]:
    return shop.sql("SELECT state, closing, is_extended FROM orders")


def test_an_order_in_time_is_left_alone(order: dict[str, Any]) -> None:
    shop.let_pass(minutes=14)
    shop.sweep()
    assert progress() == [("pending", None, False)]
    assert stock() == [(10, 2)]


def test_an_order_without_a_payment_ends_at_once_and_its_stock_is_free(
    order: dict[str, Any],
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    assert the_order() == sound("expired")
    assert stock() == [(10, 0)]
    shop.sweep()
    assert shop.sql("SELECT count(*) FROM journal WHERE to_state = 'expired'") == [(2,)]


def test_an_order_whose_payment_was_never_sent_ends_at_once_and_nothing_is_sent_later(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    shop.start(client, order)
    shop.let_pass(minutes=16)
    shop.sweep()
    assert the_order() == sound("expired")
    assert shop.sql("SELECT state FROM payment") == [("cancelled",)]

    drain()
    assert at_provider(stripe_sandbox) == []


def test_an_open_payment_is_closed_at_the_provider_before_the_order_ends(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    assert progress() == [("pending", "expired", False)]
    assert stock() == [(10, 2)]
    answer = shop.start(client, order)
    assert (answer.status_code, shop.body_of(answer)["code"]) == (409, "order_closing")

    drain()
    assert the_order() == sound("expired")
    assert at_provider(stripe_sandbox) == ["canceled"]
    assert stock() == [(10, 0)]


def test_a_customer_who_pays_while_the_order_closes_has_paid(
    client: FlaskClient, stripe_sandbox: StripeProcess, secret: str
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    shop.pay(stripe_sandbox, secret)
    shop.run_jobs("payments.close")
    assert the_order() == sound("paid")
    assert stock() == [(8, 0)]


def test_a_provider_that_is_down_ends_no_hold(
    client: FlaskClient, stripe_sandbox: StripeProcess, secret: str
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    stripe_sandbox.fault("payment_intents.cancel", "fail_before", status=503)
    shop.run_jobs("payments.close")
    assert progress() == [("pending", "expired", False)]
    assert stock() == [(10, 2)]

    shop.let_pass(minutes=16)
    drain()
    assert the_order() == sound("expired")


@pytest.mark.parametrize(
    ("bank", "end", "stock_then"),
    [("finish_processing", "paid", (8, 0)), ("fail_processing", "expired", (10, 0))],
)
def test_money_in_flight_extends_the_hold_once_then_keeps_it_until_the_bank_has_spoken(
    stripe_sandbox: StripeProcess, in_flight: str, bank: str, end: str, stock_then: tuple[int, int]
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    assert progress() == [("pending", None, True)]
    shop.let_pass(minutes=11)
    shop.sweep()
    assert progress() == [("pending", "expired", True)]

    for tries in (1, 2):
        shop.run_jobs("payments.close")
        assert progress() == [("pending", "expired", True)]
        assert stock() == [(10, 2)]
        shop.let_pass(minutes=16)
        assert shop.sql("SELECT state, attempts FROM job WHERE kind = 'payments.close'") == [
            ("ready", tries)
        ]
    stripe_sandbox.control(f"payment_intents/{in_flight}/{bank}")
    shop.run_jobs("payments.close")
    assert the_order() == sound(end)
    assert stock() == [stock_then]
    assert shop.sql("SELECT count(*) FROM journal WHERE what = 'order.extended'") == [(1,)]


def test_a_payment_whose_answer_was_lost_is_found_by_its_key_and_closed(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    stripe_sandbox.fault("payment_intents.create", "accept_then_cut")
    shop.start(client, order)
    shop.run_jobs("payments.create_intent")
    assert shop.sql("SELECT state, provider_payment_id FROM payment") == [("unknown", None)]
    for minutes in (16, 11):
        shop.let_pass(minutes=minutes)
        shop.sweep()
    assert progress() == [("pending", "expired", True)]

    shop.run_jobs("payments.close")

    assert the_order() == sound("expired")
    assert at_provider(stripe_sandbox) == ["canceled"]
    shop.let_pass(minutes=16)
    drain()
    assert at_provider(stripe_sandbox) == ["canceled"]


def test_an_order_that_is_closing_is_neither_extended_nor_closed_again(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any], secret: str
) -> None:
    shop.let_pass(minutes=16)
    shop.sweep()
    shop.pay(stripe_sandbox, secret, "pm_card_authenticationRequired")
    shop.run_jobs("payments.refresh")
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.requires_action"])
    shop.run_jobs("webhooks.apply")
    assert shop.sql("SELECT state FROM payment") == [("requires_action",)]

    with shop.database() as session:
        # a second sweep that had listed it before
        assert not closing.expire(session, order["id"])

    assert progress() == [("pending", "expired", False)]
    assert shop.sql("SELECT count(*) FROM job WHERE kind = 'payments.close'") == [(1,)]
