"""The staff API: refunds of all orders, disputes, events, and what was done by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import refund, webhook_event
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sent_payment, tell
from tests.web.tiny import pointers, problem

SignIn = Callable[[str], FlaskClient]

READS = ["/staff/refunds/", "/staff/disputes/", "/staff/webhooks/"]
ACTS: dict[str, dict[str, Any]] = {
    "/staff/refunds/record/": {"payment_id": 1, "provider_refund_id": "re_1"},
    "/staff/orders/mark-refunded/": {"order_ids": [1]},
    "/orders/capture/1/": {},
}


@pytest.fixture
def clerk(sign_in: SignIn) -> FlaskClient:
    return sign_in("clerk")


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment that has brought 39.98 EUR for two of ten T-shirts."""
    shop.make_item(units=10)
    payment_id = sent_payment(client)
    tell(payment_id, "succeeded")
    return payment_id


def ask(payment_id: int, amount_minor: int | None = None, origin: str = "staff") -> int:
    """Have money given back; the refund's id."""
    with shop.database() as session:
        asked: dict[str, Any] = {"amount_minor": amount_minor, "who": "staff:1", "why": "a test"}
        return refund.request(session, payment_id, origin=origin, **asked).id


def page(answer: TestResponse, name: str = "id") -> tuple[list[Any], bool]:
    """What a list shows of each, and whether there is more."""
    assert answer.status_code == 200, answer.text
    body = shop.body_of(answer)
    return [each[name] for each in body["data"]], body["has_more"]


# --- who may ---


def test_for_all_others_nothing_of_it_is_there(client: FlaskClient, sign_in: SignIn) -> None:
    for caller in (client, sign_in("customer")):
        for address in READS:
            assert problem(caller.get(address)) == (404, "not_found")
        for address, body in ACTS.items():
            assert problem(caller.post(address, json=body)) == (404, "not_found")
            unread = caller.post(address, data="{", content_type="text/plain")
            assert problem(unread) == (404, "not_found")


def test_a_viewer_looks_and_does_not_act(sign_in: SignIn) -> None:
    viewer = sign_in("viewer")
    for address in READS:
        assert page(viewer.get(address)) == ([], False)
    for address, body in ACTS.items():
        assert problem(viewer.post(address, json=body)) == (403, "role_too_low")


# --- lists ---


def test_refunds_are_listed_by_filters_and_pages(payment_id: int, clerk: FlaskClient) -> None:
    ids = [ask(payment_id, 100), ask(payment_id, 200, "surplus"), ask(payment_id, 300)]
    shop.sql("UPDATE refund SET state = 'failed' WHERE id = :id RETURNING id", id=ids[2])

    def listed(query: str) -> tuple[list[Any], bool]:
        return page(clerk.get(f"/staff/refunds/?{query}"), "refund_id")

    assert listed("") == (ids[::-1], False)
    assert listed("limit=2") == (ids[:0:-1], True)
    assert listed(f"limit=2&starting_after={ids[1]}") == (ids[:1], False)
    assert listed("state=failed") == (ids[2:], False)
    assert listed("origin=surplus") == (ids[1:2], False)
    assert listed("origin=surplus&state=failed") == ([], False)
    for nonsense in ("state=gone", "origin=nobody", "limit=0", "starting_after=x"):
        answer = clerk.get(f"/staff/refunds/?{nonsense}")
        assert problem(answer) == (400, "invalid_parameter")
    shop.sql("DELETE FROM refund WHERE state = 'failed' RETURNING id")


def test_disputes_are_shown_with_the_time_until_when_they_can_be_answered(
    payment_id: int, clerk: FlaskClient
) -> None:
    for number, (state, due_by) in enumerate(
        [("won", None), ("open", "2026-12-24Z"), ("open", "2026-12-01Z")]
    ):
        shop.sql(
            "INSERT INTO dispute (payment_id, order_id, provider, provider_dispute_id, state,"
            " status, reason, amount_minor, currency, is_refundable, due_by, opened_at, created_at)"
            " SELECT id, order_id, provider, :name, :state, 'any', 'fraudulent', 100, currency,"
            " false, :due_by, clock_timestamp(), clock_timestamp() FROM payment RETURNING id",
            name=f"dp_{number}",
            state=state,
            due_by=due_by,
        )
    name = "provider_dispute_id"
    assert page(clerk.get("/staff/disputes/"), name) == (["dp_2", "dp_1", "dp_0"], False)
    assert page(clerk.get("/staff/disputes/?state=won"), name) == (["dp_0"], False)
    first = shop.body_of(clerk.get("/staff/disputes/?limit=1"))
    assert first["has_more"] is True
    assert first["data"][0]["due_by"].startswith("2026-12-01")
    after = first["data"][0]["id"]
    rest = clerk.get(f"/staff/disputes/?starting_after={after}")
    assert page(rest, name) == (["dp_1", "dp_0"], False)
    shop.sql("DELETE FROM dispute RETURNING id")


def test_events_that_wait_for_their_payment_are_seen(clerk: FlaskClient) -> None:
    for number in range(3):
        with shop.database() as session:
            webhook_event.store(
                session,
                provider="stripe",
                event_id=f"evt_{number}",
                type_="payment_intent.succeeded",
                body={"secret": "of the event"},
                occurred_at=datetime.now(UTC),
            )
    ((waiting,),) = shop.sql("SELECT id FROM webhook_event WHERE event_id = 'evt_1'")
    with shop.database() as session:
        webhook_event.end(session, waiting, "parked", reason="no such payment yet")

    parked = clerk.get("/staff/webhooks/?state=parked")
    assert page(parked, "event_id") == (["evt_1"], False)
    assert shop.body_of(parked)["data"][0]["reason"] == "no such payment yet"
    assert "of the event" not in parked.text
    everything = clerk.get("/staff/webhooks/?limit=2")
    assert page(everything, "event_id") == (["evt_2", "evt_1"], True)
    rest = clerk.get(f"/staff/webhooks/?starting_after={waiting}")
    assert page(rest, "event_id") == (["evt_0"], False)
    assert problem(clerk.get("/staff/webhooks/?state=lost")) == (400, "invalid_parameter")
    shop.sql("DELETE FROM webhook_event RETURNING id")


# --- refunds made by hand ---


@pytest.fixture
def charge(client: FlaskClient, stripe_sandbox: StripeProcess) -> dict[str, Any]:
    """The provider's charge for the one order, which is paid."""
    shop.make_item(units=10)
    secret = shop.open_payment(client, shop.place(client))["client_secret"]
    shop.pay(stripe_sandbox, secret)
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
    drain()
    intent_id = secret.partition("_secret_")[0]
    charges = stripe_sandbox.ledger()["charges"]
    (charge,) = (each for each in charges if each["payment_intent"] == intent_id)
    return charge


def the_payment() -> int:
    ((payment_id,),) = shop.sql("SELECT id FROM payment")
    return int(payment_id)


def record(browser: FlaskClient, payment_id: int, name: str) -> TestResponse:
    body = {"payment_id": payment_id, "provider_refund_id": name}
    return browser.post("/staff/refunds/record/", json=body)


def test_a_refund_made_in_the_dashboard_is_taken_over(
    clerk: FlaskClient, stripe_sandbox: StripeProcess, charge: dict[str, Any]
) -> None:
    made = stripe_sandbox.control(f"charges/{charge['id']}/refund", {"amount": 1250})
    payment_id = the_payment()
    asked = record(clerk, payment_id, made["id"])
    assert asked.status_code == 202, asked.text
    job_id = shop.body_of(asked)["job_id"]
    assert asked.headers["Location"] == f"/staff/jobs/{job_id}/"
    assert shop.body_of(record(clerk, payment_id, made["id"]))["job_id"] == job_id
    drain()

    assert shop.body_of(clerk.get(asked.headers["Location"]))["job"]["state"] == "done"
    again = record(clerk, payment_id, made["id"])
    assert again.status_code == 200
    shown = shop.body_of(again)["refund"]
    assert (shown["origin"], shown["amount"], shown["status"]) == ("provider", "12.50", "succeeded")
    assert page(clerk.get("/staff/refunds/?origin=provider"), "provider_refund_id") == (
        [made["id"]],
        False,
    )
    ((user_id,),) = shop.sql("SELECT id FROM user_account")
    journal = "SELECT who, why FROM journal WHERE what = 'payment.refund_reported'"
    assert shop.sql(journal) == [(f"staff:{user_id}", f"refund {made['id']} was made by hand")]


def test_a_slip_ends_at_a_person_and_can_be_tried_again(
    clerk: FlaskClient, charge: dict[str, Any]
) -> None:
    jobs = []
    for _ in range(2):
        jobs.append(shop.body_of(record(clerk, the_payment(), "re_nobody"))["job_id"])
        drain()
        job = shop.body_of(clerk.get(f"/staff/jobs/{jobs[-1]}/"))["job"]
        assert (job["state"], "re_nobody" in job["last_error"]) == ("dead", True)
    assert jobs[0] != jobs[1]
    assert shop.sql("SELECT count(*) FROM refund") == [(0,)]
    assert shop.sql("SELECT needs_review FROM orders") == [(True,)]


def test_a_refund_of_a_payment_that_is_not_there_cannot_be_recorded(clerk: FlaskClient) -> None:
    assert problem(record(clerk, 7, "re_1")) == (404, "not_found")
    assert problem(record(clerk, 2**63 - 1, "re_1")) == (404, "not_found")
    assert pointers(record(clerk, 2**63, "re_1")) == {"/payment_id": "invalid_field"}
    assert pointers(record(clerk, 7, "")) == {"/provider_refund_id": "invalid_field"}
    assert pointers(record(clerk, 7, "x" * 256)) == {"/provider_refund_id": "invalid_field"}


# --- whole orders ---


def mark(browser: FlaskClient, *order_ids: int) -> TestResponse:
    return browser.post("/staff/orders/mark-refunded/", json={"order_ids": order_ids})


def test_all_payments_of_orders_are_given_back_each_order_by_itself(
    client: FlaskClient, clerk: FlaskClient, payment_id: int
) -> None:
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    unpaid = shop.place(client)["id"]
    for _ in range(2):
        answer = mark(clerk, unpaid, order_id, 10**9, order_id)
        assert answer.status_code == 200
        nothing, marked, missing = shop.body_of(answer)["data"]
        assert (nothing["order_id"], nothing["code"]) == (unpaid, "not_refundable")
        assert [each["amount"] for each in marked["refunds"]] == ["39.98"]
        assert "code" not in marked
        assert (missing["order_id"], missing["code"]) == (10**9, "not_found")
    ((user_id,),) = shop.sql("SELECT id FROM user_account")
    assert shop.sql("SELECT payment_id, amount_minor, requested_by FROM refund") == [
        (payment_id, 3998, f"staff:{user_id}")
    ]


def test_what_is_left_of_each_payment_is_given_back(
    client: FlaskClient, clerk: FlaskClient
) -> None:
    shop.make_item()
    first = sent_payment(client)
    tell(first, "cancelled", "look")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    second = sent_payment(client, {"id": order_id})
    for payment_id in (second, first):  # the provider wins: paid twice, and given back once
        tell(payment_id, "succeeded")
    ask(second, 1000)

    (marked,) = shop.body_of(mark(clerk, order_id))["data"]
    assert {(each["payment_id"], each["amount"]) for each in marked["refunds"]} == {
        (first, "39.98"),
        (second, "29.98"),
    }
    (again,) = shop.body_of(mark(clerk, order_id))["data"]
    assert again == marked


def test_what_went_back_in_parts_has_nothing_left(clerk: FlaskClient, payment_id: int) -> None:
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    ask(payment_id, 3998)
    (marked,) = shop.body_of(mark(clerk, order_id))["data"]
    assert (marked["code"], marked["refunds"]) == ("not_refundable", [])


def test_a_list_of_orders_has_bounds(clerk: FlaskClient) -> None:
    assert problem(mark(clerk)) == (400, "items_empty")
    assert problem(mark(clerk, *range(1, 102))) == (400, "too_many_items")
    assert pointers(mark(clerk, 0)) == {"/order_ids/0": "invalid_field"}


# --- capture by hand ---


def test_reserved_money_is_captured(client: FlaskClient, clerk: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.sql("UPDATE payment SET capture = 'manual' RETURNING id")
    address = f"/orders/capture/{payment_id}/"
    assert problem(clerk.post(address, json={})) == (409, "not_capturable")
    assert problem(clerk.post("/orders/capture/9999/", json={})) == (404, "not_found")

    tell(payment_id, "authorised")
    answer = clerk.post(address, json={})
    assert answer.status_code == 202
    shown = shop.body_of(answer)
    assert (shown["payment_id"], shown["status"]) == (payment_id, "authorised")
    assert shown["capture_before"] is not None
    assert answer.headers["Location"] == f"/orders/payments/{payment_id}/"
    assert shop.sql("SELECT state FROM job WHERE kind = 'payments.capture'") == [("ready",)]
