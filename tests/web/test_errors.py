"""Whatever goes wrong, the answer is a problem that a program can read and that tells no secret."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool
from werkzeug.exceptions import ImATeapot, ServiceUnavailable

from tests.web import contract
from tests.web.tiny import failing_client, pointers, problem, tiny_app
from web import headers
from web.errors import Problem
from web.problems import PROBLEMS

WEB = Path(__file__).parents[2] / "web"


def test_a_problem_carries_every_member() -> None:
    refusal = Problem(
        409,
        "price_changed",
        "TSHIRT-BLUE costs 21.00 now.",
        hint="Ask again.",
        errors=[{"pointer": "/items/0/unit_price", "code": "price_changed", "detail": "21.00"}],
        headers={"Retry-After": "7"},
        prices={"TSHIRT-BLUE": "21.00"},
    )

    response = failing_client(refusal).get("/orders/fail/", headers={"X-Request-Id": "request-1"})

    assert response.status_code == 409
    assert response.headers["Retry-After"] == "7"
    assert response.get_json() == {
        "type": "http://127.0.0.1:8000/orders/docs/problems#price_changed",
        "title": "A price has changed",
        "status": 409,
        "detail": "TSHIRT-BLUE costs 21.00 now.",
        "code": "price_changed",
        "hint": "Ask again.",
        "request_id": "request-1",
        "errors": [{"pointer": "/items/0/unit_price", "code": "price_changed", "detail": "21.00"}],
        "prices": {"TSHIRT-BLUE": "21.00"},
    }


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_code_answers_with_its_status_title_and_hint(code: str) -> None:
    kind = PROBLEMS[code]

    response = failing_client(Problem(kind.status, code)).get("/orders/fail/")

    assert problem(response) == (kind.status, code)
    assert response.get_json()["title"] == kind.title
    assert response.get_json()["hint"] == kind.hint


def test_an_unknown_code_or_a_wrong_status_is_an_error_at_once() -> None:
    with pytest.raises(KeyError):
        Problem(400, "no_such_code")
    with pytest.raises(ValueError, match="out_of_stock is a 409, not a 400"):
        Problem(400, "out_of_stock")


def test_routing_errors_are_problems_and_keep_their_headers() -> None:
    client = tiny_app().test_client()

    assert problem(client.get("/nowhere")) == (404, "not_found")
    refused = client.get("/orders/create/")
    assert problem(refused) == (405, "method_not_allowed")
    assert {"POST", "OPTIONS"} == set(refused.headers["Allow"].split(", "))


@pytest.mark.parametrize("order_id", ["9223372036854775808", "9" * 5000, "-1", "1.5", "x", "%00"])
def test_an_id_that_cannot_be_one_is_not_found(order_id: str) -> None:
    response = tiny_app().test_client().post(f"/orders/start-payment/{order_id}/", json={})

    assert problem(response) == (404, "not_found")


def test_the_largest_id_is_one() -> None:
    response = tiny_app().test_client().post(f"/orders/start-payment/{2**63 - 1}/", json={})

    assert response.get_json()["payment_id"] == 2**63 - 1


def test_other_http_errors_become_the_nearest_problem() -> None:
    assert problem(failing_client(ImATeapot()).get("/orders/fail/")) == (400, "bad_request")
    unavailable = failing_client(ServiceUnavailable(retry_after=5)).get("/orders/fail/")
    assert problem(unavailable) == (503, "busy")
    assert unavailable.headers["Retry-After"] == "5"


def test_an_unexpected_error_tells_the_log_everything_and_the_client_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = failing_client(RuntimeError("the password is swordfish")).get(
        "/orders/fail/", headers={"X-Request-Id": "request-42"}
    )

    assert problem(response) == (500, "internal_error")
    assert "swordfish" not in response.get_data(as_text=True)
    assert response.get_json()["request_id"] == "request-42"
    (record,) = caplog.records
    assert record.getMessage() == "request request-42 failed"
    assert "swordfish" in caplog.text


def _as_sqlalchemy_raises(sqlstate: str) -> BaseException:
    return DBAPIError.instance("SELECT 1", {}, psycopg.errors.lookup(sqlstate)("no"), psycopg.Error)


@pytest.mark.parametrize(
    "sqlstate", ["55P03", "57014", "40P01", "40001", "57P01", "53300"],
    ids=["lock", "statement", "deadlock", "serialization", "shutdown", "connections"],
)  # fmt: skip
def test_a_database_that_cannot_now_is_busy(
    sqlstate: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = failing_client(_as_sqlalchemy_raises(sqlstate)).get("/orders/fail/")

    assert problem(response) == (503, "busy")
    assert response.headers["Retry-After"] == "1"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_database_that_is_down_is_busy() -> None:
    def ask() -> None:
        with create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none").connect():
            pass

    assert problem(tiny_app(ask).test_client().get("/orders/fail/")) == (503, "busy")


def test_a_line_that_is_lost_is_busy() -> None:
    lost = DBAPIError("SELECT 1", {}, psycopg.InterfaceError("gone"), connection_invalidated=True)

    assert problem(failing_client(lost).get("/orders/fail/")) == (503, "busy")


def test_an_empty_pool_is_busy() -> None:
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )

    def ask() -> None:
        with engine.connect() as first, engine.connect():
            first.execute(text("SELECT 1"))

    assert problem(tiny_app(ask).test_client().get("/orders/fail/")) == (503, "busy")
    engine.dispose()


def test_a_statement_that_is_wrong_is_our_error() -> None:
    response = failing_client(_as_sqlalchemy_raises("22003")).get("/orders/fail/")

    assert problem(response) == (500, "internal_error")


@pytest.mark.parametrize("given", ["a.b-C_12", "x" * 64])
def test_a_plain_request_id_is_kept(given: str) -> None:
    response = tiny_app().test_client().get("/healthz", headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "has space", "quote'quote", "ünïcödé"])
def test_any_other_request_id_is_replaced(given: str) -> None:
    response = tiny_app().test_client().get("/nowhere", headers={"X-Request-Id": given})

    assert re.fullmatch(r"[0-9a-f]{16}", response.headers["X-Request-Id"])
    assert response.get_json()["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/orders/fail/"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    answered = tiny_app().test_client().get(path).headers

    assert answered["X-Content-Type-Options"] == "nosniff"
    assert answered["Referrer-Policy"] == "same-origin"
    assert answered["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answered["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answered["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answered


def test_production_insists_on_https() -> None:
    app = Flask("production")
    headers.register(app, https_only=True)

    assert app.test_client().get("/").headers["Strict-Transport-Security"].startswith("max-age=")


def test_a_query_parameter_is_named_as_one() -> None:
    response = tiny_app().test_client().get("/orders/?limit=1000")

    assert problem(response) == (400, "invalid_parameter")
    assert response.get_json()["errors"][0]["parameter"] == "limit"


def test_a_pointer_escapes_what_a_client_made_up() -> None:
    response = tiny_app().test_client().post("/orders/start-payment/1/", json={"a/b~c": 1})

    assert problem(response) == (400, "unknown_field")
    assert pointers(response) == {"/a~1b~0c": "unknown_field"}


# The table


def _codes_in_use() -> set[str]:
    """What the code of the web may answer with: every text in it that is, or begins with, a code.

    What a route documents is not yet in use.
    """
    return {
        code
        for path in WEB.rglob("*.py")
        if path.name != "problems.py"
        for statement in ast.parse(path.read_text()).body
        for node in _said(statement)
        for code in re.findall(r"^([a-z_]+)(?:: .*)?$", node.value, re.DOTALL)
    }


def _said(node: ast.AST) -> Iterator[Any]:
    """The texts below a node, those in its decorators aside."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    for name, below in ast.iter_fields(node):
        if name != "decorator_list":
            for each in below if isinstance(below, list) else [below]:
                if isinstance(each, ast.AST):
                    yield from _said(each)


def test_every_code_is_in_use() -> None:
    from_models = {f"order_{flag}" for flag in ("disputed", "stock_shortage", "needs_review")}
    from_models |= {"not_paid", "not_shipped", "already_delivered", "already_refunded"}

    assert set(PROBLEMS) - _codes_in_use() == from_models


def test_every_code_is_documented_where_it_is_answered(app: Flask) -> None:
    anywhere = {"bad_request", "internal_error", "method_not_allowed"}
    documented = {
        code
        for item in contract.document(app)["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
        for answer in operation["responses"].values()
        for code in answer.get("content", {})
        .get("application/problem+json", {})
        .get("examples", ())
    }

    on_pages_for_staff = {"changed_meanwhile", "not_replayable"}

    assert documented == set(PROBLEMS) - anywhere - on_pages_for_staff


# At any place


@pytest.mark.parametrize("mounted_at", ["", "/shop/eu"])
def test_the_edge_is_the_same_wherever_the_app_is_mounted(app: Flask, mounted_at: str) -> None:
    client = app.test_client(use_cookies=False)
    place = f"http://localhost{mounted_at}"

    form = client.post("/orders/create/", data={"guest_email": "x@x.com"}, base_url=place)
    assert problem(form) == (415, "unsupported_media_type")
    assert problem(client.get("/nowhere", base_url=place)) == (404, "not_found")
    put = client.put("/orders/create/", base_url=place)
    assert problem(put) == (405, "method_not_allowed")
    assert set(put.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    large = client.post("/orders/create/", json={"x": "x" * 70_000}, base_url=place)
    assert problem(large) == (413, "body_too_large")
    page = client.get("/orders/docs/", base_url=place).text
    assert f'data-schema="{mounted_at}/orders/schema/"' in page


def test_the_type_of_a_problem_is_the_address_of_its_page(client: FlaskClient) -> None:
    found = client.get("/nowhere").get_json()
    address, _, code = found["type"].partition("#")

    assert code == found["code"]
    page = client.get(address.removeprefix("http://127.0.0.1:8000"))
    assert f'<tr id="{code}">' in page.text
