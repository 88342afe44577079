"""One Idempotency-Key, one effect: whoever repeats a request gets the first one's result."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import idempotency
from tests import shop
from tests.web.tiny import problem


def create(client: FlaskClient, key: str, **changes: Any) -> TestResponse:
    return client.post(
        "/orders/create/", json=shop.order_body(**changes), headers={"Idempotency-Key": key}
    )


def test_a_repeated_order_is_answered_with_the_first_one_and_its_token(client: FlaskClient) -> None:
    shop.make_item()
    first = create(client, "a-key")

    second = create(client, "a-key")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.get_json() == first.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert shop.rows()["orders"] == 1


def test_a_replay_shows_the_order_as_it_is_now(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.body_of(create(client, "a-key"))
    payment = shop.body_of(shop.start(client, order))

    replayed = shop.body_of(create(client, "a-key"))

    assert [each["payment_id"] for each in replayed["payments"]] == [payment["payment_id"]]


def test_quotes_around_the_key_mean_nothing(client: FlaskClient) -> None:
    shop.make_item()

    bare, quoted = create(client, "a-key"), create(client, '"a-key"')

    assert quoted.headers["Idempotency-Replayed"] == "true"
    assert quoted.get_json()["id"] == bare.get_json()["id"]


@pytest.mark.parametrize("key", ["", " ", '""', '"', '"half', "two words", "k" * 256, "k\u00e9y"])
def test_a_key_that_is_none_is_refused_and_writes_nothing(client: FlaskClient, key: str) -> None:
    shop.make_item()
    before = shop.rows()

    assert problem(create(client, key)) == (400, "idempotency_key_invalid")
    assert shop.rows() == before


@pytest.mark.parametrize("key", ["k" * 255, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_any_visible_key_is_taken(client: FlaskClient, key: str) -> None:
    shop.make_item()

    assert create(client, key).status_code == 201
    assert create(client, key).headers["Idempotency-Replayed"] == "true"


def test_a_key_with_another_body_is_refused_and_writes_nothing(client: FlaskClient) -> None:
    shop.make_item()
    create(client, "a-key", quantity=1)
    before = shop.rows()

    assert problem(create(client, "a-key", quantity=2)) == (422, "idempotency_key_reused")
    assert shop.rows() == before


def test_a_key_in_use_asks_to_come_back_and_is_free_when_its_holder_is_gone(
    client: FlaskClient,
) -> None:
    shop.make_item()
    with shop.database() as session:  # a request that has not ended yet
        idempotency.claim(
            session,
            caller="guest:guest@example.com",
            endpoint="orders.create",
            key="a-key",
            fingerprint="",
        )

        answer = create(client, "a-key")

    assert problem(answer) == (409, "request_in_progress")
    assert answer.headers["Retry-After"] == "1"
    assert create(client, "a-key").status_code == 201


def test_twenty_posts_at_once_with_one_key_make_one_order(app: Flask) -> None:
    shop.make_item()

    def post(_number: int) -> tuple[int, str | None]:
        client = app.test_client(use_cookies=False)
        answer = shop.patiently(lambda: create(client, "a-key"))
        return answer.status_code, answer.get_json().get("token")

    answers = shop.at_once(post, 20)

    assert {status for status, _ in answers} <= {201, 409}
    assert len({token for status, token in answers if status == 201}) == 1
    assert shop.rows()["orders"] == 1
    assert shop.sql("SELECT held FROM stock_item") == [(2,)]


def test_a_refusal_is_not_kept(client: FlaskClient) -> None:
    shop.make_item(units=1)
    assert problem(create(client, "a-key")) == (409, "out_of_stock")
    assert shop.rows()["idempotency_key"] == 0

    assert create(client, "a-key", quantity=1).status_code == 201


def test_two_guests_with_the_same_weak_key_do_not_meet(client: FlaskClient) -> None:
    shop.make_item()

    ann = create(client, "1", guest_email="ann@example.com")
    bob = create(client, "1", guest_email="bob@example.com")

    assert (ann.status_code, bob.status_code) == (201, 201)
    assert ann.get_json()["id"] != bob.get_json()["id"]
    assert "Idempotency-Replayed" not in bob.headers


def test_a_guest_and_a_customer_of_one_address_do_not_meet(
    client: FlaskClient, browser: FlaskClient
) -> None:
    shop.make_item()
    shop.make_user("ann@example.com")
    shop.log_in(browser, "ann@example.com")

    customer = create(browser, "1", guest_email="ann@example.com")
    guest = create(client, "1", guest_email="ann@example.com")

    assert guest.get_json()["id"] != customer.get_json()["id"]


def test_a_stranger_learns_nothing_from_the_keys_of_an_order(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)
    path = f"/orders/start-payment/{order['id']}/"
    shop.start(client, order, **{"Idempotency-Key": "1"})

    guessed = client.post(path, json={"provider": "stripe"}, headers={"Idempotency-Key": "1"})
    unused = client.post(path, json={"provider": "stripe"}, headers={"Idempotency-Key": "2"})

    assert problem(guessed) == problem(unused) == (404, "not_found")
