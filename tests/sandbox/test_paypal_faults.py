"""Tokens, repetitions of a `PayPal-Request-Id`, and faults on order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.paypal_api import PayPalApi, issue_of, payments_of
from tests.sandbox.process import PayPalProcess
from tests.shop import await_that

HOURS = 3600


def test_a_repetition_is_told_how_the_first_ones_order_is_now(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    first = api.create("k")
    paypal.control(f"orders/{first.json()['id']}/approve")
    again = api.create("k")

    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "APPROVED")
    made = paypal.read("requests?endpoint=orders.create")
    assert [each["repeated"] for each in made] == [False, True]


def test_an_id_of_orders_is_forgotten_after_six_hours_one_of_payments_after_45_days(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    capture_id = api.captured()
    orders, refunds = [api.create("k").json()["id"]], [api.refund(capture_id, "1.00", "k").json()]
    for hours in (6 * HOURS - 60, 120, 44 * 24 * HOURS):
        paypal.control("clock", {"advance_seconds": hours})
        api.renew()
        orders.append(api.create("k").json()["id"])
        refunds.append(api.refund(capture_id, "1.00", "k").json())
    paypal.control("clock", {"advance_seconds": 24 * HOURS})
    api.renew()
    refunds.append(api.refund(capture_id, "1.00", "k").json())

    assert orders[0] == orders[1] != orders[2]
    assert len({each["id"] for each in refunds[:4]}) == 1
    assert refunds[4]["id"] != refunds[0]["id"]


def test_of_two_at_once_the_second_may_fail(paypal: PayPalProcess, api: PayPalApi) -> None:
    paypal.fault("orders.create", "delay", seconds=30)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.create, "k")
        await_that(lambda: not paypal.read("faults"))
        with PayPalApi(paypal) as other:
            second = other.create("k")
        paypal.control("faults", method="DELETE")
        assert first.result().status_code == 201
    assert issue_of(second) == (409, "PREVIOUS_REQUEST_IN_PROGRESS")
    assert len(paypal.ledger()["orders"]) == 1


def test_without_an_id_a_repetition_is_another_order(api: PayPalApi) -> None:
    assert api.order() != api.order()


@pytest.mark.parametrize(("fault", "orders"), [("fail_before", 0), ("fail_after", 1)])
def test_a_failure_is_before_or_after_the_effect_and_is_not_repeated(
    paypal: PayPalProcess, api: PayPalApi, fault: str, orders: int
) -> None:
    paypal.fault("orders.create", fault, status=500)
    assert api.create("k").status_code == 500
    assert len(paypal.ledger()["orders"]) == orders
    assert api.create("k").status_code == (200 if orders else 201)
    assert len(paypal.ledger()["orders"]) == 1


@pytest.mark.parametrize(("fault", "orders"), [("cut", 0), ("accept_then_cut", 1)])
def test_the_line_is_cut_before_or_after_the_effect(
    paypal: PayPalProcess, api: PayPalApi, fault: str, orders: int
) -> None:
    paypal.fault("orders.create", fault)
    with pytest.raises(requests.ConnectionError):
        api.create("k")
    assert len(paypal.ledger()["orders"]) == orders


def test_too_many_requests_are_told_when_to_come_again(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    paypal.fault("orders.create", "fail_before", status=429, retry_after=7)
    refused = api.create()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert refused.json()["name"] == "RATE_LIMIT_REACHED"


def test_a_token_is_needed_and_is_good_for_some_hours(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    assert api.create().status_code == 201
    paypal.control("clock", {"advance_seconds": 9 * HOURS})
    refused = api.create()
    assert (refused.status_code, refused.json()["name"]) == (401, "AUTHENTICATION_FAILURE")
    api.renew()
    assert api.create().status_code == 201


def test_a_wrong_secret_gets_no_token(paypal: PayPalProcess) -> None:
    answer = requests.post(
        f"{paypal.url}/v1/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(paypal.client_id, "guessed"),
        timeout=30,
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_captures_at_once_take_the_money_once(paypal: PayPalProcess, api: PayPalApi) -> None:
    order_id = api.approved()
    gate = threading.Barrier(8)

    def capture(_: int) -> int:
        with PayPalApi(paypal) as caller:
            gate.wait(timeout=30)
            return caller.capture(order_id).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(capture, range(8))) == [201, *[422] * 7]
    assert len(payments_of(api.look(order_id))["captures"]) == 1
