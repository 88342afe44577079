"""Who calls: by session, cookie or token. Others see nothing, other sites' pages write nothing."""

from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask import Flask
from flask.testing import FlaskClient

import settings
from models import user
from tests import shop
from tests.web.tiny import problem
from web import callers, sessions

EMAIL = "ann@example.com"


def see(client: FlaskClient, order: dict[str, Any], **headers: str) -> int:
    return client.get(f"/orders/{order['id']}/", headers=headers).status_code


def cookie_of(answer: Any) -> str:
    (cookie,) = answer.headers.getlist("Set-Cookie")
    return str(cookie)


def test_in_production_the_cookie_travels_by_https_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    production = replace(settings.current(), app_env="production")
    monkeypatch.setattr("settings.current", lambda: production)
    app = Flask("production")
    sessions.register(app)
    app.add_url_rule("/", view_func=callers.guest_id)

    name, *flags = cookie_of(app.test_client().get("/")).split("; ")

    assert name.startswith("__Host-orders=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(flags)


def test_a_guests_cookie_is_hidden_from_scripts_and_other_sites(browser: FlaskClient) -> None:
    shop.make_item()

    answer = browser.post("/orders/create/", json=shop.order_body())

    name, *flags = cookie_of(answer).split("; ")
    assert name.startswith("orders=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(flags)
    assert not any(flag.startswith("Domain") for flag in flags)


def test_a_guest_sees_their_orders_by_cookie_or_token_and_nobody_elses(
    app: Flask, browser: FlaskClient
) -> None:
    shop.make_item()
    order, other = shop.place(browser), shop.place(app.test_client())

    assert see(browser, order) == 200
    assert see(browser, other) == 404
    nobody = app.test_client(use_cookies=False)
    assert see(nobody, order) == 404
    assert see(nobody, order, **shop.bearer(order)) == 200
    assert see(nobody, order, Authorization=f"bearer  {order['token']} ") == 200
    assert see(nobody, order, **shop.bearer(other)) == 404
    assert see(nobody, order, Authorization=f"Basic {order['token']}") == 404
    assert see(nobody, order, Authorization="Bearer t\xf6ken") == 404


def test_a_token_of_an_older_version_opens_nothing(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)
    with shop.database() as session:
        session.connection().exec_driver_sql("UPDATE orders SET token_version = 2")

    assert see(client, order, **shop.bearer(order)) == 404


def test_a_forged_cookie_is_nobodys(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)

    assert see(client, order, Cookie="orders=eyJ1c2VyX2lkIjoxfQ.aaaa.bbbb") == 404


# Other sites' pages


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil", ""])
def test_a_page_of_another_site_writes_nothing_with_our_cookie(
    browser: FlaskClient, origin: str
) -> None:
    shop.make_item()
    order = shop.place(browser)
    before = shop.rows()
    for path, body in {
        "/orders/create/": shop.order_body(),
        f"/orders/start-payment/{order['id']}/": {},
        "/auth/logout/": {},
    }.items():
        answer = browser.post(path, json=body, headers={"Origin": origin})
        assert problem(answer) == (403, "unauthorized_origin")
    assert shop.rows() == before


@pytest.mark.parametrize("origin", ["http://localhost", "http://127.0.0.1:8000"])
def test_our_own_pages_may_write(browser: FlaskClient, origin: str) -> None:
    shop.make_item()
    shop.place(browser)

    answer = browser.post("/orders/create/", json=shop.order_body(), headers={"Origin": origin})

    assert answer.status_code == 201


@pytest.mark.parametrize(("scheme", "status"), [("http", 403), ("https", 401)])
def test_in_production_a_page_without_tls_is_not_ours(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, scheme: str, status: int
) -> None:
    production = replace(settings.current(), app_env="production")
    monkeypatch.setattr("settings.current", lambda: production)

    answer = client.post(
        "/auth/login/",
        json={"email": EMAIL, "password": "wrong"},
        headers={"Origin": f"{scheme}://localhost"},
    )

    assert answer.status_code == status


def test_a_foreign_origin_without_a_cookie_is_an_integrator(client: FlaskClient) -> None:
    shop.make_item()

    answer = client.post(
        "/orders/create/", json=shop.order_body(), headers={"Origin": "https://partner.example"}
    )

    assert answer.status_code == 201


# Signing in


def test_a_wrong_password_and_an_unknown_address_get_one_answer(browser: FlaskClient) -> None:
    shop.make_user(EMAIL)

    wrong = shop.log_in(browser, EMAIL, "wrong")
    unknown = shop.log_in(browser, "nobody@example.com", shop.PASSWORD)

    assert problem(wrong) == problem(unknown) == (401, "invalid_credentials")
    told = [{**answer.get_json(), "request_id": ""} for answer in (wrong, unknown)]
    assert told[0] == told[1]
    assert "Set-Cookie" not in wrong.headers


def test_a_stranger_costs_one_verification_like_anybody_from_the_first_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anybody = user.User(password_hash=PasswordHasher().hash(shop.PASSWORD))
    verified: list[str] = []
    monkeypatch.setattr(PasswordHasher, "hash", lambda *_: pytest.fail("that takes as long again"))
    verify = PasswordHasher.verify

    def watched(hasher: PasswordHasher, hashed: str, password: str) -> bool:
        verified.append(hashed)
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    user._nobody_hash.cache_clear()

    assert user.fits(anybody, shop.PASSWORD)
    assert not user.fits(None, shop.PASSWORD)

    known, unknown = map(extract_parameters, verified)
    assert known == unknown


def test_a_dismissed_user_cannot_sign_in_nor_go_on(browser: FlaskClient) -> None:
    shop.make_item()
    shop.make_user(EMAIL)
    shop.log_in(browser, EMAIL)
    order = shop.place(browser)
    with shop.database() as session:
        session.connection().exec_driver_sql("UPDATE user_account SET is_active = false")

    assert see(browser, order) == 404
    assert problem(shop.log_in(browser, EMAIL)) == (401, "invalid_credentials")


def test_signing_in_starts_a_new_session_and_signing_out_ends_it(browser: FlaskClient) -> None:
    shop.make_item()
    shop.make_user(EMAIL)
    order = shop.place(browser)
    with browser.session_transaction() as before:
        assert set(before) == {"guest_id", "_permanent"}

    answer = shop.log_in(browser, EMAIL.upper())

    assert answer.get_json() == {"email": EMAIL, "role": "customer"}
    assert "HttpOnly" in cookie_of(answer)
    with browser.session_transaction() as after:
        assert set(after) == {"user_id", "version", "began_at", "seen_at", "_permanent"}
    assert see(browser, order) == 404  # it was the guest's
    own = shop.place(browser)
    assert browser.post("/auth/logout/", json={}).get_json() == {"signed_out": True}
    assert see(browser, own) == 404


def test_a_password_is_taken_exactly_as_it_is(browser: FlaskClient) -> None:
    shop.make_user(EMAIL)

    assert shop.log_in(browser, EMAIL, f" {shop.PASSWORD}").status_code == 401
    assert shop.log_in(browser, EMAIL, "x" * 201).status_code == 400
    assert shop.log_in(browser, EMAIL, "nul\0").status_code == 401


# Customers and staff


def test_a_customer_sees_their_own_orders_on_every_device_and_no_others(
    app: Flask, browser: FlaskClient
) -> None:
    shop.make_item()
    shop.make_user(EMAIL)
    shop.make_user("bob@example.com")
    shop.log_in(browser, EMAIL)
    order = shop.place(browser)
    phone, bobs = app.test_client(), app.test_client()
    shop.log_in(phone, EMAIL)
    shop.log_in(bobs, "bob@example.com")

    assert see(phone, order) == 200
    assert see(bobs, order) == 404


@pytest.mark.parametrize("role", ["viewer", "clerk", "manager"])
def test_staff_see_every_order_and_payment_but_never_what_pays_it(
    client: FlaskClient, browser: FlaskClient, role: str
) -> None:
    shop.make_item()
    order = shop.place(client)
    payment = shop.open_payment(client, order)
    shop.make_user("staff@example.com", role)
    shop.log_in(browser, "staff@example.com")

    seen = browser.get(f"/orders/{order['id']}/")
    payment_seen = browser.get(f"/orders/payments/{payment['payment_id']}/")

    assert (seen.status_code, payment_seen.status_code) == (200, 200)
    assert not {"client_secret", "publishable_key"} & payment_seen.get_json().keys()
    for answer in (seen, payment_seen):
        assert payment["client_secret"] not in answer.text
        assert order["token"] not in answer.text
    owner = client.get(f"/orders/payments/{payment['payment_id']}/", headers=shop.bearer(order))
    assert owner.get_json() == payment
