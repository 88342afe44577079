"""The calls that the documentation of the older app shows are answered as it says.

Bodies are as they stood there. Tokens and signatures are new: an order is opened by its owner.
"""

import json
from collections.abc import Callable

from flask.testing import FlaskClient

from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.web.tiny import pointers, problem

ORDER = """{
    "guest_email": "guest@example.com",
    "currency": "EUR",
    "items": [
        {"product_title": "Blue T-shirt", "product_sku": "TSHIRT-BLUE", "unit_price": 19.99, "quantity": 2}
    ],
    "shipping_address": {"line1": "123 Street", "city": "Town", "postal_code": "12345", "country": "IE"}
}"""  # noqa: E501 - as it stood there
NO_ITEMS = '{ "guest_email": "x@x.com", "currency": "EUR", "items": [] }'
EVENT = """{
    "id": "evt_1Example",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_1Example", "metadata": { "order_id": "42" }}}
}"""
JSON = "application/json"


def place(client: FlaskClient) -> dict[str, object]:
    shop.make_item()
    answer = client.post("/orders/create/", data=ORDER, content_type=JSON)
    assert answer.status_code == 201
    return shop.body_of(answer)


def test_an_order_is_created(client: FlaskClient) -> None:
    order = place(client)

    assert (order["currency"], order["total"]) == ("EUR", "39.98")
    assert {"order_number", "guest_email", "status", "stock_shortage"} < order.keys()


def test_an_order_without_items_is_refused(client: FlaskClient) -> None:
    answer = client.post("/orders/create/", data=NO_ITEMS, content_type=JSON)

    assert problem(answer) == (400, "items_empty")
    assert pointers(answer)["/items"] == "items_empty"


def test_a_form_is_refused_in_friendly_json(client: FlaskClient) -> None:
    answer = client.post("/orders/create/", data={"guest_email": "x@x.com"})

    assert problem(answer) == (415, "unsupported_media_type")
    assert "application/json" in shop.body_of(answer)["hint"]


def test_a_payment_is_started_once_for_a_key(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    order = place(client)
    key = {"Idempotency-Key": f"startpay-{order['id']}"}

    first = shop.start(client, order, **key)
    drain()
    second = shop.start(client, order, **key)

    assert (first.status_code, second.status_code) == (202, 200)
    started = shop.body_of(second)
    assert started["payment_id"] == shop.body_of(first)["payment_id"]
    assert started["client_secret"].startswith("pi_")
    assert started["provider"] == "stripe"


def test_a_webhook_is_believed_if_it_is_signed_and_skipped_if_it_comes_again(
    client: FlaskClient,
) -> None:
    unsigned = client.post("/orders/webhook/", data=EVENT, content_type=JSON)
    assert problem(unsigned) == (400, "invalid_signature")

    sample = json.loads(EVENT)
    subject = {
        **sample["data"]["object"],
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 3998,
        "currency": "eur",
        "livemode": False,
    }
    complete = shop.event_about(subject, id=sample["id"], type=sample["type"])
    assert shop.deliver(client, complete).get_json() == {"received": True}
    again = shop.deliver(client, complete)
    assert (again.status_code, again.get_json()) == (200, {"skipped": True})


def test_a_refund_is_for_staff_and_made_once(
    client: FlaskClient, stripe_sandbox: StripeProcess, sign_in: Callable[[str], FlaskClient]
) -> None:
    order = place(client)
    payment = shop.open_payment(client, order)
    shop.pay(stripe_sandbox, payment["client_secret"])
    events = shop.events_of(stripe_sandbox, payment["client_secret"])
    shop.deliver(client, events["payment_intent.succeeded"])
    drain()
    path = f"/orders/refund/{payment['payment_id']}/"

    assert problem(client.post(path, json={}, headers=shop.bearer(order))) == (404, "not_found")
    clerk = sign_in("clerk")
    first, second = clerk.post(path, json={}), clerk.post(path, json={})
    assert (first.status_code, second.status_code) == (202, 202)
    assert shop.body_of(first)["refund_id"] == shop.body_of(second)["refund_id"]
    drain()
    assert shop.look(client, order)["status"] == "refunded"
    intent_id = payment["client_secret"].partition("_secret_")[0]
    refunds = stripe_sandbox.ledger()["refunds"]
    assert [each["amount"] for each in refunds if each["payment_intent"] == intent_id] == [3998]


def test_the_document_is_at_its_place(client: FlaskClient) -> None:
    assert client.get("/orders/schema/").get_json()["openapi"].startswith("3.1")
