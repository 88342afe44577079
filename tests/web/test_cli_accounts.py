"""`flask users` and `flask keys`: who may come in, from the command line."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests import shop

EMAIL = "ann@example.com"
Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *words: app.test_cli_runner().invoke(args=list(words))


@pytest.fixture
def ann(browser: FlaskClient) -> FlaskClient:
    """A clerk who is signed in."""
    shop.make_user(EMAIL, "clerk")
    shop.log_in(browser, EMAIL)
    return browser


def me(client: FlaskClient, **headers: str) -> int:
    return client.get("/auth/me/", headers=headers).status_code


def journal() -> list[tuple[str, str]]:
    return shop.sql("SELECT what, why FROM journal WHERE who = 'cli' ORDER BY id")


def test_a_member_of_staff_is_not_added_with_a_weak_password_nor_twice(run: Run) -> None:
    add = ("users", "create-staff", EMAIL, "--password")
    weak = run(*add, "secret")
    assert (weak.exit_code, "would be guessed" in weak.output) == (1, True)
    assert run(*add, shop.PASSWORD).exit_code == 0
    twice = run(*add, shop.PASSWORD)
    assert (twice.exit_code, "has an account" in twice.output) == (1, True)
    assert shop.sql("SELECT email, role FROM user_account") == [(EMAIL, "clerk")]


def test_users_are_listed_by_role(run: Run) -> None:
    shop.make_user(EMAIL, "viewer")
    shop.make_user("bob@example.com")
    head, *lines = run("users", "list").stdout.splitlines()
    assert head.split()[:3] == ["id", "email", "role"]
    assert [line.split()[1:3] for line in lines] == [
        [EMAIL, "viewer"],
        ["bob@example.com", "customer"],
    ]
    (viewer,) = json.loads(run("users", "list", "--role", "viewer", "--json").stdout)
    assert viewer["email"] == EMAIL
    assert "password" not in str(viewer)


def test_another_role_holds_from_the_next_request_on(run: Run, ann: FlaskClient) -> None:
    assert ann.get("/staff/jobs/").status_code == 200
    assert run("users", "set-role", EMAIL, "customer").stdout == f"{EMAIL} is a customer now.\n"
    assert ann.get("/staff/jobs/").status_code == 404
    assert journal() == [("user.role", "given another role")]


def test_somebody_is_kept_out_and_let_in_again(run: Run, ann: FlaskClient) -> None:
    key = run("keys", "create", EMAIL, "--name", "till", "--scope", "jobs:read").stdout.strip()
    bearer = {"Authorization": f"Bearer {key}"}

    assert run("users", "disable", EMAIL, "--why", "has left").exit_code == 0
    assert (me(ann), me(ann, **bearer)) == (401, 401)
    assert shop.log_in(ann, EMAIL).status_code == 401
    assert run("users", "enable", EMAIL, "--why", "is back").exit_code == 0
    assert (me(ann), me(ann, **bearer)) == (401, 200)
    assert shop.log_in(ann, EMAIL).status_code == 200
    assert [why for what, why in journal() if what == "user.sessions_ended"] == [
        "has left",
        "is back",
    ]


def test_sessions_are_ended_and_passwords_replaced(run: Run, ann: FlaskClient) -> None:
    assert run("users", "revoke-sessions", EMAIL, "--why", "lost her phone").exit_code == 0
    assert me(ann) == 401
    assert shop.log_in(ann, EMAIL).status_code == 200

    assert run("users", "set-password", EMAIL, "--password", "secret").exit_code == 1
    assert me(ann) == 200
    assert run("users", "set-password", EMAIL, "--password", "seven boats at dawn").exit_code == 0
    assert me(ann) == 401
    assert shop.log_in(ann, EMAIL).status_code == 401
    assert shop.log_in(ann, EMAIL, "seven boats at dawn").status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        ("users", "set-role", EMAIL, "clerk"),
        ("users", "disable", EMAIL, "--why", "x"),
        ("users", "revoke-sessions", EMAIL, "--why", "x"),
        ("keys", "create", EMAIL, "--name", "x", "--scope", "jobs:read"),
        ("keys", "revoke", "ok_0123456789ab"),
    ],
)
def test_nobody_is_somebody_else(run: Run, words: tuple[str, ...]) -> None:
    refused = run(*words)
    assert refused.exit_code == 1
    assert words[2] in refused.output


def test_a_key_is_printed_once_listed_and_revoked(run: Run, client: FlaskClient) -> None:
    shop.make_user(EMAIL, "viewer")
    key = run("keys", "create", EMAIL, "--name", "front", "--scope", "orders:write").stdout.strip()
    bearer = {"Authorization": f"Bearer {key}"}
    assert me(client, **bearer) == 200

    prefix = key[:15]
    (listed,) = json.loads(run("keys", "list", "--json").stdout)
    assert (listed["prefix"], listed["email"], listed["scopes"]) == (prefix, EMAIL, "orders:write")
    assert listed["expires_at"] is None
    assert listed["last_used_at"]
    assert prefix in run("keys", "list").stdout
    assert key not in run("keys", "list").stdout

    assert run("keys", "revoke", prefix).stdout == f"{prefix} opens nothing now.\n"
    assert me(client, **bearer) == 401
    assert json.loads(run("keys", "list", "--json").stdout) == []


def test_a_customers_key_is_for_orders_alone(run: Run) -> None:
    shop.make_user(EMAIL)
    make = ("keys", "create", EMAIL, "--name", "x", "--scope")
    refused = run(*make, "jobs:read")
    assert (refused.exit_code, "not for customers: jobs:read" in refused.output) == (1, True)
    assert run(*make, "orders:read").exit_code == 0
