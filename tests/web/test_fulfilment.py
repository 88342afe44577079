"""Cancel, ship, deliver, find, and looks that wait for news."""

import threading
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.orders import Order
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sound, stock, the_order
from tests.web.tiny import problem


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    """An order of two of ten T-shirts."""
    shop.make_item(units=10)
    return shop.place(client)


@pytest.fixture
def paid(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> dict[str, Any]:
    """The same, paid."""
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
    drain()
    return order


@pytest.fixture
def clerk(app: Flask) -> FlaskClient:
    return staff(app, "clerk")


def staff(app: Flask, role: str) -> FlaskClient:
    """A browser in which somebody of this role has signed in."""
    browser = app.test_client()
    shop.make_user(f"{role}@shop.example", role)
    shop.log_in(browser, f"{role}@shop.example")
    return browser


def cancel(client: FlaskClient, order: dict[str, Any], **headers: str) -> TestResponse:
    path = f"/orders/cancel/{order['id']}/"
    return client.post(path, json={}, headers={**shop.bearer(order), **headers})


# Cancel


def test_an_order_without_a_payment_is_cancelled_at_once(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    for _ in range(2):
        answer = cancel(client, order)
        assert (answer.status_code, shop.body_of(answer)["status"]) == (200, "cancelled")
    assert (the_order(), stock()) == (sound("cancelled"), [(10, 0)])


def test_an_open_payment_is_closed_first(client: FlaskClient, order: dict[str, Any]) -> None:
    shop.open_payment(client, order)

    answer = cancel(client, order)

    assert (answer.status_code, answer.headers["Location"]) == (202, f"/orders/{order['id']}/")
    assert answer.headers["Retry-After"] == "1"
    assert shop.body_of(answer)["closing"] == "cancelled"
    drain()
    assert shop.look(client, order)["status"] == "cancelled"
    assert stock() == [(10, 0)]


def test_money_that_was_faster_than_the_cancellation_pays(
    client: FlaskClient, stripe_sandbox: StripeProcess, order: dict[str, Any]
) -> None:
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    assert cancel(client, order).status_code == 202
    drain()
    assert shop.look(client, order)["status"] == "paid"


def test_what_is_paid_cannot_be_cancelled(client: FlaskClient, paid: dict[str, Any]) -> None:
    assert problem(cancel(client, paid)) == (409, "already_paid")
    assert the_order() == sound("paid")


def test_a_key_makes_a_cancellation_safe_to_repeat(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "a-key"}
    assert "Idempotency-Replayed" not in cancel(client, order, **key).headers
    assert cancel(client, order, **key).headers["Idempotency-Replayed"] == "true"
    other = client.post(
        f"/orders/cancel/{order['id']}/",
        json={"reason": "another"},
        headers={**shop.bearer(order), **key},
    )
    assert problem(other) == (422, "idempotency_key_reused")


def test_whose_order_it_is_not_cannot_tell_it_from_none(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    stranger = {"Authorization": f"Bearer {order['token'][:-1]}x"}
    for order_id in (order["id"], 10**9):
        answer = client.post(f"/orders/cancel/{order_id}/", json={}, headers=stranger)
        assert problem(answer) == (404, "not_found")
    assert the_order() == sound("pending")


def test_staff_may_cancel_and_viewers_may_not(
    app: Flask, clerk: FlaskClient, order: dict[str, Any]
) -> None:
    path = f"/orders/cancel/{order['id']}/"
    assert problem(staff(app, "viewer").post(path, json={})) == (403, "role_too_low")
    assert clerk.post(path, json={"reason": "fraud"}).status_code == 200


# Ship and deliver


def test_staff_ship_what_is_paid_and_its_owner_sees_it(
    client: FlaskClient, clerk: FlaskClient, paid: dict[str, Any]
) -> None:
    facts = {"carrier": "An Post", "tracking_number": "RR1IE", "tracking_url": "https://a.example/"}
    answer = clerk.post(f"/orders/ship/{paid['id']}/", json=facts)
    assert shop.body_of(answer)["status"] == "shipped"
    seen = shop.look(client, paid)
    assert {name: seen["shipment"][name] for name in facts} == facts
    assert seen["shipment"]["delivered_at"] is None

    for _ in range(2):
        clerk.post(f"/orders/deliver/{paid['id']}/", json={})
    seen = shop.look(client, paid)
    assert seen["status"] == "delivered"
    assert seen["shipment"]["delivered_at"] is not None


def test_what_is_not_paid_is_not_shipped(clerk: FlaskClient, order: dict[str, Any]) -> None:
    path = f"{order['id']}/"
    assert problem(clerk.post(f"/orders/ship/{path}", json={})) == (409, "not_paid")
    assert problem(clerk.post(f"/orders/deliver/{path}", json={})) == (409, "not_shipped")
    assert problem(clerk.post("/orders/ship/1000000/", json={})) == (404, "not_found")


@pytest.mark.parametrize(
    "address",
    ["http://a.example/", "javascript:alert(1)", "https://a.example/<script>", "https://"],
)
def test_a_link_that_is_no_page_is_refused(
    clerk: FlaskClient, paid: dict[str, Any], address: str
) -> None:
    answer = clerk.post(f"/orders/ship/{paid['id']}/", json={"tracking_url": address})
    assert problem(answer) == (400, "invalid_field")
    assert shop.sql("SELECT count(*) FROM shipment") == [(0,)]


def test_a_review_is_released_before_it_ships(clerk: FlaskClient, paid: dict[str, Any]) -> None:
    with shop.database() as session:
        session.get_one(Order, paid["id"]).needs_review = True
    path = f"{paid['id']}/"
    assert problem(clerk.post(f"/orders/ship/{path}", json={})) == (409, "order_needs_review")
    assert clerk.post(f"/orders/release-review/{path}", json={"why": "seen"}).status_code == 200
    assert clerk.post(f"/orders/ship/{path}", json={}).status_code == 200


# Find


def test_a_customer_sees_their_own_orders_and_staff_all(
    app: Flask, client: FlaskClient, clerk: FlaskClient
) -> None:
    shop.make_item(units=10)
    shop.place(client)
    ann = app.test_client()
    shop.make_user("ann@example.com")
    shop.log_in(ann, "ann@example.com")
    own = shop.place(ann)

    def listed(browser: FlaskClient, query: str = "") -> list[int]:
        body = shop.body_of(browser.get(f"/orders/{query}"))
        return [each["id"] for each in body["data"]]

    assert listed(ann) == [own["id"]]
    assert len(listed(clerk)) == 2
    assert listed(clerk, "?limit=1") == [own["id"]]
    assert listed(clerk, f"?limit=1&starting_after={own['id']}") == [own["id"] - 1]
    assert listed(clerk, f"?order_number={own['order_number']}") == [own["id"]]
    assert listed(ann, "?email=guest@example.com") == [own["id"]]
    assert listed(clerk, "?created_before=2020-01-01T00:00:00Z") == []
    assert problem(client.get("/orders/")) == (404, "not_found")
    assert problem(clerk.get("/orders/?status=eaten")) == (400, "invalid_parameter")
    assert problem(clerk.get("/orders/?emial=ann@example.com")) == (400, "invalid_parameter")


def test_orders_of_an_item_come_once_each_newest_first_a_page_after_the_other(
    client: FlaskClient, clerk: FlaskClient
) -> None:
    shop.make_item(units=20)
    shop.make_item("MUG", units=20)
    twice = [shop.line(quantity=1), shop.line(quantity=1), shop.line("MUG", 1)]
    bought = [shop.place(client, items=twice) for _ in range(3)]
    ids = [each["id"] for each in bought]
    shop.place(client, sku="MUG")
    assert cancel(client, bought[1]).status_code == 200

    def listed(query: str) -> list[int]:
        return [each["id"] for each in shop.body_of(clerk.get(f"/orders/{query}"))["data"]]

    assert listed("?sku=TSHIRT-BLUE") == ids[::-1]
    assert listed("?sku=TSHIRT-BLUE&limit=2") == ids[:0:-1]
    assert listed(f"?sku=TSHIRT-BLUE&limit=2&starting_after={ids[1]}") == ids[:1]
    assert listed("?sku=TSHIRT-BLUE&status=pending") == [ids[2], ids[0]]
    assert listed("?sku=NONE") == []


# Looks that wait


def test_a_look_that_waits_is_answered_by_the_news(
    app: Flask, client: FlaskClient, order: dict[str, Any]
) -> None:
    answers: list[TestResponse] = []

    def look() -> None:
        path = f"/orders/{order['id']}/?wait=20&seen=pending"
        browser = app.test_client(use_cookies=False)
        answers.append(browser.get(path, headers=shop.bearer(order)))

    waiter = threading.Thread(target=look)
    waiter.start()
    time.sleep(0.2)
    assert cancel(client, order).status_code == 200
    waiter.join(timeout=15)
    assert [shop.body_of(answer)["status"] for answer in answers] == ["cancelled"]


def test_news_that_the_client_has_not_seen_is_told_at_once(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    path = f"/orders/{order['id']}/?wait=30&seen=paid"
    answer = client.get(path, headers=shop.bearer(order))
    assert shop.body_of(answer)["status"] == "pending"


def test_a_payment_can_be_waited_for_too(client: FlaskClient, order: dict[str, Any]) -> None:
    payment = shop.open_payment(client, order)
    path = f"/orders/payments/{payment['payment_id']}/"
    answer = client.get(f"{path}?wait=1", headers=shop.bearer(order))
    assert shop.body_of(answer)["status"] == "open"
    for query in ("wait=31", "wait=-1", "wait=x", "seen=%00"):
        answer = client.get(f"{path}?{query}", headers=shop.bearer(order))
        assert problem(answer) == (400, "invalid_parameter")
