"""The documentation is true to the code, and its pages load nothing from elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from tests.web.tiny import tiny_app
from web import representations, schemas
from web.problems import PROBLEMS

PAGES = ["/orders/docs/", "/orders/docs/problems"]


@pytest.fixture
def client() -> FlaskClient:
    return tiny_app().test_client()


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/orders/schema/").get_json()
    return found


def test_the_document_is_openapi_of_every_endpoint(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/orders/create/",
        "/orders/start-payment/{order_id}/",
        "/orders/",
        "/orders/fail/",
        "/healthz",
        "/readyz",
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_a_body_is_documented_with_an_example_that_is_accepted(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    body = document["paths"]["/orders/create/"]["post"]["requestBody"]["content"]
    assert list(body) == ["application/json"]

    response = client.post("/orders/create/", json=body["application/json"]["example"])

    assert response.status_code == 201


@pytest.mark.parametrize(
    "shape",
    [
        schemas.OrderCreate,
        representations.Order,
        representations.Payment,
        representations.Health,
        representations.Readiness,
    ],
)
def test_an_example_fits_the_schema_that_is_published(
    shape: type[schemas.Schema], document: dict[str, Any]
) -> None:
    published = document["components"]["schemas"][shape.__name__]

    Draft202012Validator({**document, **published}).validate(shape.example)


def test_problems_are_documented_as_problem_json_with_an_example_each(
    document: dict[str, Any],
) -> None:
    answers = document["paths"]["/orders/create/"]["post"]["responses"]
    documented = {
        code: example["value"]
        for status in ("400", "409", "413", "415", "422")
        for code, example in answers[status]["content"]["application/problem+json"][
            "examples"
        ].items()
    }
    assert {"malformed_json", "body_too_large", "unsupported_media_type", "price_changed"} <= set(
        documented
    )
    for code, example in documented.items():
        assert (example["code"], example["status"]) == (code, PROBLEMS[code].status)
    default = document["components"]["responses"]["DEFAULT_ERROR"]["content"]
    assert list(default) == ["application/problem+json"]


def test_a_price_may_be_text_or_a_number(document: dict[str, Any]) -> None:
    price = document["components"]["schemas"]["OrderItemIn"]["properties"]["unit_price"]

    assert [spelling["type"] for spelling in price["anyOf"]] == ["string", "number"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_code_and_loads_only_what_we_serve(
    path: str, client: FlaskClient
) -> None:
    page = client.get(path)
    html = page.get_data(as_text=True)

    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|https?:", html)
    for address in re.findall(r'(?:src|href|data-schema)="([^"#]+)"', html):
        with client.get(address) as loaded:
            assert loaded.status_code == 200, address


def test_the_problem_page_explains_every_code_at_its_address(client: FlaskClient) -> None:
    html = client.get("/orders/docs/problems").get_data(as_text=True)

    assert re.findall(r'<tr id="([a-z_]+)">', html) == list(PROBLEMS)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for below in node.values():
            yield from _references(below)
    elif isinstance(node, list):
        for below in node:
            yield from _references(below)
