"""A webhook is believed if it is signed, stored once if it is believed, and applied by a worker."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tasks.base import drain
from tests import shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess
from tests.web.tiny import problem

INTENT = {
    "id": "pi_made",
    "object": "payment_intent",
    "status": "succeeded",
    "amount": 3998,
    "amount_received": 3998,
    "currency": "eur",
    "livemode": False,
    "metadata": {},
}
EVENT = json.dumps(shop.event_about(INTENT)).encode()


def refused(client: FlaskClient, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and code of a refusal after which the database is as it was before."""
    before = shop.rows()
    answer = client.post("/orders/webhook/", data=body, headers=headers)
    assert shop.rows() == before
    return problem(answer)


def stored(client: FlaskClient, event: Mapping[str, Any]) -> tuple[str, str | None]:
    """State and reason of an event, delivered and looked at by a worker."""
    assert shop.deliver(client, event).get_json() == {"received": True}
    drain()
    ((state, reason),) = shop.sql("SELECT state, reason FROM webhook_event")
    return state, reason


def test_one_webhook_five_times_at_once_has_one_effect(
    app: Flask, client: FlaskClient, stripe_sandbox: StripeProcess, mail_server: MailServer
) -> None:
    shop.make_item(units=10)
    order = shop.place(client, quantity=2)
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    event = shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"]

    answers = shop.at_once(lambda _: shop.deliver(app.test_client(), event), 5)
    shop.at_once(lambda _: drain(), 3)

    bodies = [answer.get_json() for answer in answers]
    assert sorted(bodies, key=str) == [{"received": True}, *[{"skipped": True}] * 4]
    assert shop.look(client, order)["status"] == "paid"
    assert shop.sql("SELECT stock, held FROM stock_item") == [(8, 0)]
    assert shop.sql("SELECT state FROM webhook_event") == [("applied",)]
    assert len(mail_server.received) == 1


def test_the_provider_may_be_named_in_the_address(client: FlaskClient) -> None:
    path = "/orders/webhook/stripe/"

    first = client.post(path, data=EVENT, headers=shop.signature(EVENT))
    second = client.post("/orders/webhook/", data=EVENT, headers=shop.signature(EVENT))

    assert (first.get_json(), second.get_json()) == ({"received": True}, {"skipped": True})
    assert problem(client.post("/orders/webhook/venmo/", data=EVENT)) == (404, "not_found")


# Signatures


def v0(body: bytes) -> dict[str, str]:
    return {"Stripe-Signature": shop.signature(body)["Stripe-Signature"].replace("v1=", "v0=")}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EVENT.replace(b"3998", b"3999"), shop.signature(EVENT)),
        (EVENT + b" ", shop.signature(EVENT)),
        (EVENT, {}),
        (EVENT, {"Stripe-Signature": ""}),
        (EVENT, {"Stripe-Signature": "nonsense"}),
        (EVENT, {"Stripe-Signature": "t=1,v1=\xe9"}),
        (EVENT, {"Stripe-Signature": f"t={int(time.time())},v1="}),
        (EVENT, v0(EVENT)),
        (EVENT, shop.signature(EVENT, "whsec_of_somebody_else")),
        (b"\xff" + EVENT, shop.signature(b"\xff" + EVENT)),
        (b"", shop.signature(EVENT)),
    ],
    ids=[
        "tampered", "longer", "unsigned", "empty", "nonsense", "not ASCII", "no digest",
        "v0 only", "another secret", "not UTF-8", "no body",
    ],
)  # fmt: skip
def test_what_the_provider_has_not_signed_is_refused_and_not_stored(
    client: FlaskClient, body: bytes, headers: Mapping[str, str]
) -> None:
    assert refused(client, body, headers) == (400, "invalid_signature")


@pytest.mark.parametrize("age", [301, 86_400, -310, -86_400])
def test_a_signature_of_another_time_is_refused_and_not_stored(
    client: FlaskClient, age: int
) -> None:
    assert refused(client, EVENT, shop.signature(EVENT, age=age)) == (400, "invalid_signature")


@pytest.mark.parametrize("age", [280, -280])
def test_a_clock_may_be_minutes_off(client: FlaskClient, age: int) -> None:
    answer = client.post("/orders/webhook/", data=EVENT, headers=shop.signature(EVENT, age=age))

    assert answer.get_json() == {"received": True}


@pytest.mark.parametrize("secret", ["whsec_of_the_tests", "whsec_the_one_before"])
def test_every_secret_of_a_rotation_is_accepted(client: FlaskClient, secret: str) -> None:
    answer = client.post("/orders/webhook/", data=EVENT, headers=shop.signature(EVENT, secret))

    assert answer.get_json() == {"received": True}


def test_neither_a_cookie_nor_an_origin_makes_a_difference_to_a_signature(app: Flask) -> None:
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["guest_id"] = "somebody"
    headers = {**shop.signature(EVENT), "Origin": "https://elsewhere.example"}
    answer = browser.post("/orders/webhook/", data=EVENT, headers=headers)

    assert answer.get_json() == {"received": True}


# Signed, but no event


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        EVENT.replace(b'"evt_made', b'5, "was": "evt_made'),
        EVENT.replace(b'"payment_intent.succeeded"', b"null"),
        EVENT.replace(b'"payment_intent.succeeded"', b'"a\\u0000b"'),
        EVENT.replace(b"3998", b"NaN"),
        EVENT.replace(b'"eur"', b'"\\ud800"'),
        json.dumps(shop.event_about(INTENT, created=1e30)).encode(),
    ],
    ids=[
        "text", "array", "empty", "null", "bottomless", "id", "type", "NUL", "NaN", "surrogate",
        "time",
    ],
)  # fmt: skip
def test_what_is_signed_but_no_event_is_refused_and_not_stored(
    client: FlaskClient, body: bytes
) -> None:
    assert refused(client, body, shop.signature(body)) == (400, "malformed_event")


@pytest.mark.parametrize("size", [1_000_001, 5_000_000])
def test_a_body_of_more_than_a_megabyte_is_refused(client: FlaskClient, size: int) -> None:
    assert refused(client, b" " * size, {}) == (413, "body_too_large")


def test_an_event_larger_than_an_order_may_be_is_taken(client: FlaskClient) -> None:
    event = shop.event_about({**INTENT, "description": "x" * 900_000})

    assert shop.deliver(client, event).get_json() == {"received": True}


# Believed, but not for us


@pytest.mark.parametrize(
    ("changes", "subject", "reason"),
    [
        ({"livemode": True}, {}, "it is of the other mode"),
        ({"account": "acct_other"}, {}, "it is of another account"),
        ({}, {"metadata": {"app": "orders-other"}}, "it is of another application"),
        ({}, {}, "no payment of this shop"),
        ({"type": "customer.created"}, {"object": "customer"}, "customer.created changes nothing"),
    ],
    ids=["mode", "account", "application", "payment", "type"],
)
def test_what_is_not_for_us_is_stored_and_ignored(
    client: FlaskClient, changes: dict[str, Any], subject: dict[str, Any], reason: str
) -> None:
    state, found = stored(client, shop.event_about({**INTENT, **subject}, **changes))

    assert state == "ignored"
    assert found is not None
    assert found.startswith(reason)


def test_no_secret_and_no_persons_data_are_stored_with_an_event(client: FlaskClient) -> None:
    person = {"billing_details": {"name": "Ann Canary"}, "receipt_email": "ann@canary.example"}
    subject = {
        **INTENT,
        "client_secret": "pi_made_secret_canary",
        "latest_charge": person,
        **person,
    }

    stored(client, shop.event_about(subject, previous_attributes=person))

    kept = shop.everything_stored()
    assert "pi_made" in kept
    assert "canary" not in kept.lower()


def test_a_nul_in_an_event_does_not_keep_it_from_being_stored(client: FlaskClient) -> None:
    event = shop.event_about({**INTENT, "cancellation_reason": "a\0b"})

    stored(client, event)

    assert (
        "ab"
        in shop.sql("SELECT body->'data'->'object'->>'cancellation_reason' FROM webhook_event")[0]
    )
