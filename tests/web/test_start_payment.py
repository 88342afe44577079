"""Starting a payment: for the owner alone, once at the provider, whatever is asked how often."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import closing
from tasks.base import drain
from tests import shop, telling
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess
from tests.web.tiny import problem


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item()
    return shop.place(client)


def intents_of(stripe_sandbox: StripeProcess, order: dict[str, Any]) -> list[dict[str, Any]]:
    """What the provider has opened for the order."""
    intents = stripe_sandbox.ledger()["payment_intents"]
    return [each for each in intents if each["metadata"].get("order_id") == str(order["id"])]


def test_a_payment_is_promised_at_first_and_then_has_a_secret(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    promised = shop.start(client, order)
    assert promised.status_code == 202
    assert promised.headers["Retry-After"] == "1"
    asked = client.get(promised.headers["Location"], headers=shop.bearer(order))
    assert asked.get_json() == promised.get_json()
    assert promised.get_json()["client_secret"] is None

    drain()

    opened = shop.start(client, order)
    assert opened.status_code == 200
    assert not {"Location", "Retry-After"} & set(opened.headers.keys())
    assert {**opened.get_json(), "created_at": None} == {
        "payment_id": promised.get_json()["payment_id"],
        "provider": "stripe",
        "payment_method": None,
        "status": "open",
        "amount": "39.98",
        "refunded": "0.00",
        "currency": "EUR",
        "created_at": None,
        "client_secret": opened.get_json()["client_secret"],
        "redirect_url": None,
        "publishable_key": stripe_sandbox.publishable_key,
        "failure": None,
    }
    ((intent),) = intents_of(stripe_sandbox, order)
    assert opened.get_json()["client_secret"].startswith(f"{intent['id']}_secret_")
    assert (intent["amount"], intent["currency"]) == (3998, "eur")


def test_an_event_that_is_faster_than_the_answer_leaves_the_secret_promised(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    payment_id = telling.sent_payment(client, order)
    telling.tell(payment_id, "open")

    early = shop.start(client, order)

    assert (early.status_code, early.get_json()["client_secret"]) == (202, None)
    telling.tell(payment_id, "open", "look", client_secret="pi_1_secret_2")
    late = shop.start(client, order)
    assert (late.status_code, late.get_json()["client_secret"]) == (200, "pi_1_secret_2")


@pytest.mark.parametrize("body", [{}, {"provider": "stripe"}, {"provider": None}])
def test_the_provider_may_be_left_out(
    client: FlaskClient, order: dict[str, Any], body: dict[str, Any]
) -> None:
    path = f"/orders/start-payment/{order['id']}/"

    answer = client.post(path, json=body, headers=shop.bearer(order))

    assert (answer.status_code, answer.get_json()["provider"]) == (202, "stripe")


# Who may


def test_nobody_else_can_pay_or_see_that_there_is_something_to_pay(
    client: FlaskClient, browser: FlaskClient, order: dict[str, Any]
) -> None:
    stranger = shop.place(browser)
    no_order = {**order, "id": 2**40}
    payment = shop.body_of(shop.start(client, order))
    before = shop.rows()
    for path in (f"/orders/start-payment/{order['id']}/", f"/orders/start-payment/{2**40}/"):
        for credentials in ({}, shop.bearer(stranger), {"Authorization": "Bearer ord_x"}):
            assert problem(client.post(path, json={}, headers=credentials)) == (404, "not_found")
        assert problem(browser.post(path, json={})) == (404, "not_found")
    assert problem(shop.start(client, no_order)) == (404, "not_found")
    assert problem(browser.get(f"/orders/payments/{payment['payment_id']}/")) == (404, "not_found")
    assert problem(browser.get(f"/orders/{order['id']}/")) == (404, "not_found")
    assert shop.rows() == before


@pytest.mark.parametrize("role", ["customer", "viewer", "clerk", "manager"])
def test_only_the_owner_may_pay_not_even_staff(
    browser: FlaskClient, order: dict[str, Any], role: str
) -> None:
    shop.make_user("other@example.com", role)
    shop.log_in(browser, "other@example.com")

    answer = browser.post(f"/orders/start-payment/{order['id']}/", json={})

    assert problem(answer) == (404, "not_found")


def test_a_guest_pays_by_the_cookie_alone(browser: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(browser)

    answer = browser.post(f"/orders/start-payment/{order['id']}/", json={})

    assert answer.status_code == 202


def test_a_customer_pays_by_the_session_alone(browser: FlaskClient) -> None:
    shop.make_item()
    shop.make_user("ann@example.com")
    shop.log_in(browser, "ann@example.com")
    body = shop.order_body()
    del body["guest_email"]
    order = shop.body_of(browser.post("/orders/create/", json=body))

    answer = browser.post(f"/orders/start-payment/{order['id']}/", json={})

    assert (answer.status_code, order["guest_email"]) == (202, "ann@example.com")


# Once


def test_twenty_calls_at_once_open_one_intent(
    app: Flask, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    def start(_number: int) -> TestResponse:
        return shop.patiently(lambda: shop.start(app.test_client(use_cookies=False), order))

    answers = shop.at_once(start, 20)

    shop.at_once(lambda _: drain(), 4)

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["payment_id"] for answer in answers}) == 1
    assert len(intents_of(stripe_sandbox, order)) == 1


def test_two_calls_with_one_key_open_one_intent(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    key = {"Idempotency-Key": "a-key"}

    first = shop.start(client, order, **key)
    drain()
    second = shop.start(client, order, **key)
    drain()

    assert (first.status_code, second.status_code) == (202, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.get_json()["payment_id"] == first.get_json()["payment_id"]
    assert len(intents_of(stripe_sandbox, order)) == 1


def test_a_lost_answer_of_the_provider_opens_no_second_intent(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    stripe_sandbox.fault("payment_intents.create", "accept_then_cut")
    shop.start(client, order)
    shop.run_jobs("payments.create_intent")
    unknown = shop.start(client, order)

    shop.let_pass(minutes=1)
    drain()

    assert (unknown.status_code, unknown.get_json()["status"]) == (202, "unknown")
    assert shop.start(client, order).status_code == 200
    assert len(intents_of(stripe_sandbox, order)) == 1


# How long to wait


@pytest.mark.parametrize(
    ("preference", "applied"),
    [
        ("wait=0", "wait=0"),
        ('respond-async, wait="0"', "wait=0"),
        ("return=minimal, WAIT = 0", "wait=0"),
        ("respond-async", "respond-async"),
        ("handling=lenient,Respond-Async", "respond-async"),
        ("wait=soon", None),
        ("return=minimal; wait=9", None),
        ("", None),
    ],
)
def test_the_preference_that_was_heeded_is_told(
    client: FlaskClient, order: dict[str, Any], preference: str, applied: str | None
) -> None:
    answer = shop.start(client, order, Prefer=preference)

    assert answer.status_code == 202
    assert answer.headers.get("Preference-Applied") == applied


def test_nobody_waits_longer_than_half_a_minute(client: FlaskClient, order: dict[str, Any]) -> None:
    shop.open_payment(client, order)

    answer = shop.start(client, order, Prefer="wait=3600")

    assert answer.headers["Preference-Applied"] == "wait=30"


# When it is too late


def test_a_paid_order_cannot_be_paid_again(
    client: FlaskClient,
    order: dict[str, Any],
    stripe_sandbox: StripeProcess,
    mail_server: MailServer,
) -> None:
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
    drain()

    assert problem(shop.start(client, order)) == (409, "already_paid")
    assert len(mail_server.received) == 1


def test_an_order_that_is_being_closed_cannot_be_paid_nor_one_that_is_closed(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.open_payment(client, order)
    shop.let_pass(hours=1)
    assert problem(shop.start(client, order)) == (409, "order_closing")  # its time is over

    with shop.database() as session:
        closing.expire(session, order["id"])
    assert problem(shop.start(client, order)) == (409, "order_closing")  # the provider is asked

    drain()
    closed = shop.start(client, order)
    assert problem(closed) == (409, "order_closed")
    assert closed.get_json()["detail"] == "The order is expired."
    assert [each["status"] for each in intents_of(stripe_sandbox, order)] == ["canceled"]
