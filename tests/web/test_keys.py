"""API keys: shown once, kept as hashes, good for what they say, gone when they are revoked."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import shop
from tests.web.tiny import problem

EMAIL = "till@example.com"
NEW = {"name": "till", "scopes": ["orders:write", "orders:read"]}


@pytest.fixture
def user_id(browser: FlaskClient) -> int:
    """The customer who is signed in at the browser."""
    user_id = shop.make_user(EMAIL)
    shop.log_in(browser, EMAIL)
    return user_id


def make(browser: FlaskClient, **changes: Any) -> dict[str, Any]:
    answer = browser.post("/auth/keys/", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    return shop.body_of(answer)


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


def test_a_key_acts_as_its_maker(browser: FlaskClient, client: FlaskClient, user_id: int) -> None:
    shop.make_item()
    key = make(browser)

    assert client.get("/auth/me/", headers=bearer(key)).get_json()["email"] == EMAIL
    answer = client.post("/orders/create/", json=shop.order_body(), headers=bearer(key))
    assert answer.status_code == 201
    assert "Set-Cookie" not in answer.headers
    (order,) = shop.sql("SELECT id, user_id, guest_hash FROM orders")
    assert order[1:] == (user_id, None)
    assert client.get(f"/orders/{order[0]}/", headers=bearer(key)).status_code == 200
    who = shop.sql("SELECT who FROM journal WHERE what = 'order.placed'")
    assert who == [(f"customer:{user_id} {key['prefix']}",)]


def test_the_secret_is_shown_once_and_not_kept(browser: FlaskClient, user_id: int) -> None:
    key = make(browser)

    listed = browser.get("/auth/keys/")
    assert listed.get_json()["data"] == [{name: key[name] for name in key if name != "key"}]
    assert key["key"].startswith(f"{key['prefix']}_")
    secret = key["key"].removeprefix(f"{key['prefix']}_")
    assert len(secret) == 43
    assert secret not in listed.text + shop.everything_stored()
    assert make(browser)["key"] != key["key"]


def test_a_key_ends_by_being_revoked_or_by_itself(
    browser: FlaskClient, client: FlaskClient, user_id: int
) -> None:
    short, long = make(browser, expires_in_days=1), make(browser)

    revoked = browser.delete(f"/auth/keys/{long['id']}/")
    assert revoked.get_json()["revoked_at"]
    assert browser.delete(f"/auth/keys/{long['id']}/").get_json() == revoked.get_json()
    answer = client.get("/auth/me/", headers=bearer(long))
    assert problem(answer) == (401, "invalid_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"

    assert client.get("/auth/me/", headers=bearer(short)).status_code == 200
    shop.let_pass(hours=25)
    assert problem(client.get("/auth/me/", headers=bearer(short))) == (401, "invalid_key")


def test_a_key_with_another_secret_is_none(
    browser: FlaskClient, client: FlaskClient, user_id: int
) -> None:
    key = make(browser)
    for text in (key["prefix"], f"{key['prefix']}_{'A' * 43}", key["key"] + "A", "ok_\xe9"):
        headers = {"Authorization": f"Bearer {text}"}
        assert problem(client.get("/auth/me/", headers=headers)) == (401, "invalid_key")


def test_a_key_goes_before_the_cookie_that_comes_with_it(
    browser: FlaskClient, user_id: int
) -> None:
    key = make(browser)
    browser.delete(f"/auth/keys/{key['id']}/")

    assert browser.get("/auth/me/").status_code == 200
    assert problem(browser.get("/auth/me/", headers=bearer(key))) == (401, "invalid_key")


def test_its_use_is_noted_once_a_minute(
    browser: FlaskClient, client: FlaskClient, user_id: int
) -> None:
    key = make(browser)

    def used() -> Any:
        client.get("/auth/me/", headers=bearer(key))
        return shop.sql("SELECT last_used_at FROM api_key")[0][0]

    assert browser.get("/auth/keys/").get_json()["data"][0]["last_used_at"] is None
    first = used()
    assert first is not None
    assert used() == first
    shop.let_pass(seconds=61)
    assert used() > first


def test_customers_have_keys_for_orders_alone(browser: FlaskClient, user_id: int) -> None:
    answer = browser.post("/auth/keys/", json={**NEW, "scopes": ["orders:read", "refunds:write"]})
    assert problem(answer) == (422, "scope_not_allowed")
    assert answer.get_json()["scopes"] == ["refunds:write"]


@pytest.mark.parametrize(
    "wrong", [{"scopes": []}, {"scopes": ["orders"]}, {"name": ""}, {"expires_in_days": 0}]
)
def test_a_key_that_says_nothing_sensible_is_not_made(
    browser: FlaskClient, user_id: int, wrong: dict[str, Any]
) -> None:
    assert browser.post("/auth/keys/", json={**NEW, **wrong}).status_code == 400
    assert shop.rows()["api_key"] == 0


def test_nobody_collects_keys(browser: FlaskClient, user_id: int) -> None:
    keys = [make(browser) for _ in range(20)]
    assert problem(browser.post("/auth/keys/", json=NEW)) == (409, "too_many_keys")
    browser.delete(f"/auth/keys/{keys[0]['id']}/")
    make(browser)
