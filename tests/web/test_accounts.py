"""Accounts: opened without telling who has one, and sessions that end when they must."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import settings
from tests import shop
from tests.web.tiny import pointers, problem

EMAIL = "ann@example.com"
NEW = "seven small boats at dawn"


def sign_up(client: FlaskClient, email: str = EMAIL, password: str = NEW) -> TestResponse:
    return client.post("/auth/sign-up/", json={"email": email, "password": password})


def me(client: FlaskClient) -> int:
    return client.get("/auth/me/").status_code


def change(client: FlaskClient, password: str = shop.PASSWORD, new: str = NEW) -> TestResponse:
    return client.post("/auth/password/", json={"password": password, "new_password": new})


# --- signing up ---


def test_whoever_signs_up_is_a_customer_who_can_sign_in(browser: FlaskClient) -> None:
    assert problem(browser.get("/auth/me/")) == (401, "not_signed_in")

    assert sign_up(browser, "Ann@Example.com").get_json() == {"accepted": True}
    assert me(browser) == 401  # signing up signs nobody in

    assert shop.log_in(browser, EMAIL, NEW).status_code == 200
    assert browser.get("/auth/me/").get_json() == {"email": EMAIL, "role": "customer"}
    assert "argon2id" in shop.sql("SELECT password_hash FROM user_account")[0][0]


def test_signing_up_does_not_tell_who_has_an_account(browser: FlaskClient) -> None:
    shop.make_user(EMAIL, "manager")
    written = shop.rows()

    taken, free = sign_up(browser), sign_up(browser, "bob@example.com")

    assert (taken.status_code, taken.data) == (free.status_code, free.data) == (202, free.data)
    assert set(taken.headers.keys()) == set(free.headers.keys())
    entries = shop.rows()["journal"] - written["journal"]
    assert entries == 2  # each wrote, and waited for the disk, once
    assert shop.log_in(browser, EMAIL, NEW).status_code == 401
    assert shop.log_in(browser, EMAIL).get_json()["role"] == "manager"


@pytest.mark.parametrize(
    "password",
    ["short", "a" * 40, "Password123", "1234567890", EMAIL, "ann.smith-2026", "x" * 201],
)
def test_a_password_that_would_be_guessed_is_refused(browser: FlaskClient, password: str) -> None:
    address = "ann.smith@example.com" if password.startswith("ann.") else EMAIL
    answer = sign_up(browser, address, password)

    code = "invalid_field" if len(password) > 200 else "weak_password"
    assert problem(answer) == (400, code)
    assert pointers(answer) == {"/password": code}
    assert shop.rows()["user_account"] == 0


# --- how sessions end ---


def test_another_password_ends_all_sessions_but_this_one(app: Flask, browser: FlaskClient) -> None:
    shop.make_user(EMAIL)
    phone, copied = app.test_client(), app.test_client(use_cookies=False)
    for device in (browser, phone):
        shop.log_in(device, EMAIL)
    cookie = browser.get_cookie("orders")
    assert cookie is not None

    assert problem(change(browser, "wrong")) == (401, "invalid_credentials")
    assert problem(change(browser, new="short")) == (400, "weak_password")
    assert me(phone) == 200
    assert change(browser).status_code == 200

    assert (me(browser), me(phone)) == (200, 401)
    old = copied.get("/auth/me/", headers={"Cookie": f"orders={cookie.value}"})
    assert old.status_code == 401
    assert shop.log_in(phone, EMAIL).status_code == 401
    assert shop.log_in(phone, EMAIL, NEW).status_code == 200


def test_signing_out_everywhere_ends_the_sessions_of_all_devices(
    app: Flask, browser: FlaskClient
) -> None:
    shop.make_user(EMAIL)
    phone, tablet = app.test_client(), app.test_client()
    for device in (browser, phone, tablet):
        shop.log_in(device, EMAIL)

    tablet.post("/auth/logout/", json={})
    assert (me(tablet), me(phone), me(browser)) == (401, 200, 200)
    browser.post("/auth/logout/", json={"everywhere": True})
    assert (me(phone), me(browser)) == (401, 401)


@pytest.mark.parametrize(
    ("role", "name", "hours", "status"),
    [
        ("clerk", "seen_at", 1.9, 200),
        ("clerk", "seen_at", 2.1, 401),
        ("clerk", "began_at", 11.9, 200),
        ("clerk", "began_at", 12.1, 401),
        ("customer", "seen_at", 24 * 13.9, 200),
        ("customer", "seen_at", 24 * 14.1, 401),
        ("customer", "began_at", 24 * 89.9, 200),
        ("customer", "began_at", 24 * 90.1, 401),
    ],
)
def test_a_session_ends_when_it_is_idle_or_old(
    browser: FlaskClient, role: str, name: str, hours: float, status: int
) -> None:
    shop.make_user(EMAIL, role)
    shop.log_in(browser, EMAIL)
    with browser.session_transaction() as cookie:
        began = cookie[name]
        cookie[name] = began - int(hours * 3600)

    assert me(browser) == status
    with browser.session_transaction() as cookie:
        if status == 401:
            assert not cookie
        elif name == "seen_at":
            assert cookie[name] >= began  # it is in use


def test_a_session_outlives_the_key_that_signed_it(
    app: Flask, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_user(EMAIL)
    shop.log_in(browser, EMAIL)
    old = app.config["SECRET_KEY"]

    monkeypatch.setitem(app.config, "SECRET_KEY", "n" * 40)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [old])
    assert me(browser) == 200
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [])
    assert me(browser) == 401


def test_the_fallback_keys_of_the_settings_are_those_of_the_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from web import sessions  # noqa: PLC0415 - after the environment is set

    chosen = replace(settings.current(), secret_key="k" * 40, secret_key_fallbacks=("o" * 40,))
    monkeypatch.setattr("settings.current", lambda: chosen)
    app = Flask("rotated")
    sessions.register(app)
    assert (app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"]) == ("k" * 40, ["o" * 40])


def test_our_own_forms_tell_where_they_come_from(browser: FlaskClient) -> None:
    """With the policy `no-referrer` browsers send `Origin: null` with forms, which is refused."""
    answer = browser.get("/orders/docs/")
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/sign-up/"])
def test_another_sites_page_cannot_sign_anybody_in(browser: FlaskClient, path: str) -> None:
    shop.make_user(EMAIL)
    body: dict[str, Any] = {"email": EMAIL, "password": shop.PASSWORD}
    answer = browser.post(path, json=body, headers={"Origin": "https://evil.example"})
    assert problem(answer) == (403, "unauthorized_origin")
    assert browser.post(path, json=body, headers={"Origin": "http://localhost"}).status_code < 300
