"""What only PayPal's adapter does: tokens, forgotten orders, invoices, and its mode."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import settings
from providers.base import OutcomeUnknown, Rejected
from providers.paypal import PayPal
from tests.providers.paypal_world import PayPalWorld
from tests.providers.world import Behaviour, name_of, opened, payment_request, refund_request
from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess

HOUR = timedelta(hours=1)


@pytest.fixture
def world(paypal_sandbox: PayPalProcess) -> Iterator[PayPalWorld]:
    around = PayPalWorld(paypal_sandbox)
    yield around
    around.over()


def adapter(**changes: Any) -> PayPal:
    return PayPal(replace(settings.current(), **changes))


def calls(sandbox: PayPalProcess, endpoint: str) -> int:
    return len(sandbox.read(f"requests?endpoint={endpoint}"))


def test_one_token_serves_many_calls_and_is_renewed_when_it_is_refused(
    world: PayPalWorld, paypal_sandbox: PayPalProcess
) -> None:
    before = calls(paypal_sandbox, "oauth.token")
    asked = opened(world)
    world.adapter.fetch(asked)
    assert calls(paypal_sandbox, "oauth.token") == before + 1

    paypal_sandbox.control("config", {"order_seconds": 10**6})
    world.later(10 * HOUR)  # which the token does not live to see
    world.adapter.fetch(asked)
    assert calls(paypal_sandbox, "oauth.token") == before + 2


def test_a_token_is_renewed_before_its_time_is_up(
    world: PayPalWorld, paypal_sandbox: PayPalProcess
) -> None:
    paypal_sandbox.control("config", {"token_seconds": 30})
    before = calls(paypal_sandbox, "oauth.token")
    for _ in range(2):
        world.adapter.create(payment_request(world))
    assert calls(paypal_sandbox, "oauth.token") == before + 2


def test_a_wrong_secret_is_our_mistake(world: PayPalWorld) -> None:
    with pytest.raises(Rejected, match="invalid_client"):
        adapter(paypal_client_secret="guessed").create(payment_request(world))


@pytest.mark.parametrize("fault", ["fail_before", "cut"])
def test_without_a_token_nothing_is_known(
    world: PayPalWorld, paypal_sandbox: PayPalProcess, fault: str
) -> None:
    asked = payment_request(world)
    paypal_sandbox.fault("oauth.token", fault, status=503)
    with pytest.raises(OutcomeUnknown):
        world.adapter.create(asked)
    assert world.opened(asked) == []


def test_an_order_that_was_not_paid_in_time_is_closed_by_being_forgotten(
    world: PayPalWorld,
) -> None:
    asked = opened(world)
    world.later(7 * HOUR)
    late = replace(asked, age=7 * HOUR)
    for look in (world.adapter.fetch, world.adapter.close):
        seen = look(late)
        assert (seen.state, seen.received_minor) == ("cancelled", 0)
        assert (seen.amount_minor, seen.provider_payment_id) == (3998, name_of(asked))


def test_an_order_that_should_be_there_and_is_not_is_our_mistake(world: PayPalWorld) -> None:
    asked = payment_request(world, provider_payment_id="0NOSUCHORDER00000")
    for call in (world.adapter.fetch, world.adapter.close, world.adapter.capture):
        with pytest.raises(Rejected, match="INVALID_RESOURCE_ID"):
            call(asked)


def test_a_second_order_of_one_payment_takes_no_money(
    world: PayPalWorld, paypal_sandbox: PayPalProcess
) -> None:
    asked = opened(world)
    with PayPalApi(paypal_sandbox) as api:
        amount = {"currency_code": "EUR", "value": "39.98"}
        other = api.order(invoice_id=asked.key, amount=amount)
    for order_id in (name_of(asked), other):
        world.act(order_id)
    world.adapter.capture(asked)
    with pytest.raises(Rejected, match="DUPLICATE_INVOICE_ID"):
        world.adapter.capture(replace(asked, provider_payment_id=other))
    assert (world.captured(name_of(asked)), world.captured(other)) == (3998, 0)


def test_money_that_was_never_taken_cannot_be_given_back(world: PayPalWorld) -> None:
    asked = opened(world)
    refund = refund_request(world, asked)
    with pytest.raises(Rejected, match="nothing was captured"):
        world.adapter.refund(refund)


@pytest.mark.parametrize(
    ("base", "is_live"),
    [
        ("https://api-m.paypal.com", True),
        ("https://api-m.sandbox.paypal.com", False),
        ("http://127.0.0.1:9", False),
    ],
)
def test_the_address_says_whether_money_is_real(base: str, is_live: bool) -> None:
    chosen = adapter(paypal_api_base=base)
    told = chosen.read_event(
        {
            "id": "WH-1",
            "create_time": "2026-11-22T12:00:00Z",
            "event_type": "PAYMENT.CAPTURE.COMPLETED",
            "resource_type": "capture",
            "resource": {
                "id": "1",
                "status": "COMPLETED",
                "amount": {"currency_code": "EUR", "value": "1.00"},
                "supplementary_data": {"related_ids": {"order_id": "2"}},
            },
        }
    )
    assert told.payment is not None
    assert told.payment.is_live == is_live


def test_the_buyer_comes_back_to_the_page_that_was_asked_for(
    world: PayPalWorld, paypal_sandbox: PayPalProcess
) -> None:
    back = "https://shop.example/o/7"
    world.adapter.create(payment_request(world, return_url=back))
    sent = paypal_sandbox.read("requests?endpoint=orders.create")[-1]["body"]
    context = sent["payment_source"]["paypal"]["experience_context"]
    assert (context["return_url"], context["cancel_url"]) == (back, back)
    assert context["user_action"] == "PAY_NOW"


def test_each_approval_is_captured_under_an_id_of_its_own(
    world: PayPalWorld, paypal_sandbox: PayPalProcess
) -> None:
    asked = opened(world)
    tries: tuple[Behaviour, ...] = ("is_declined", "pays")
    for hours, behaviour in enumerate(tries):
        world.later(hours * HOUR)
        world.act(name_of(asked), behaviour)
        world.adapter.capture(asked)
    sent = paypal_sandbox.read("requests?endpoint=orders.capture")[-2:]
    ids = [each["request_id"] for each in sent]
    assert len(set(ids)) == 2
    assert all(each.startswith(name_of(asked)) for each in ids)


@pytest.mark.parametrize(
    ("currency", "minor", "value"), [("JPY", 500, "500"), ("HUF", 90000, "900")]
)
def test_a_currency_without_decimals_is_paid_and_given_back(
    world: PayPalWorld, currency: str, minor: int, value: str
) -> None:
    asked = opened(world, currency=currency, amount_minor=minor)
    world.act(name_of(asked))
    taken = world.adapter.capture(asked)
    assert (taken.received_minor, taken.currency) == (minor, currency)
    assert taken.raw["purchase_units"][0]["amount"]["value"] == value
