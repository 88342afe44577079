"""The OpenAPI document of the real app is whole, well-formed, and says what the app heeds."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from models import dispute, orders, payment, refund
from tests.web import contract
from web.problems import PROBLEMS

Json = dict[str, Any]


@pytest.fixture
def document(app: Flask) -> Json:
    return contract.document(app)


@pytest.fixture
def operations(document: Json) -> dict[str, Json]:
    """Every operation, by method and path."""
    return {
        f"{method.upper()} {path}": {**operation, "parameters": _parameters(item, operation)}
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def _parameters(*places: Json) -> list[Json]:
    return [parameter for place in places for parameter in place.get("parameters", [])]


def _media(operation: Json) -> Iterator[Json]:
    """Each media type of the operation's bodies, in and out."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    answers = [answer for answer in operation["responses"].values() if "$ref" not in answer]
    for body in bodies + answers:
        yield from body["content"].values()


def _examples(media: Json) -> Iterator[Any]:
    if "example" in media:
        yield media["example"]
    for example in media.get("examples", {}).values():
        yield example["value"]


def test_every_route_of_the_api_is_documented(app: Flask, operations: dict[str, Json]) -> None:
    served = {
        f"{method} {contract.template(rule)}"
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith(("docs.", "desk."))  # pages for people
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations) == served


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(
    operations: dict[str, Json],
) -> None:
    names = [operation["operationId"] for operation in operations.values()]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
    assert all(operation["summary"].endswith(".") for operation in operations.values())


def test_every_parameter_of_a_path_is_described(operations: dict[str, Json]) -> None:
    for address, operation in operations.items():
        described = {each["name"]: each for each in operation["parameters"] if each["in"] == "path"}
        assert set(described) == set(re.findall(r"{(\w+)}", address))
        assert all(each["required"] and each["schema"] for each in described.values())


def test_every_schema_is_one_and_every_example_fits_it(
    document: Json, operations: dict[str, Json]
) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    shown = 0
    for operation in operations.values():
        for media in _media(operation):
            schema = {**media["schema"], "components": document["components"]}
            for example in _examples(media):
                Draft202012Validator(schema).validate(example)
                shown += 1
    assert shown > len(operations)


def test_every_body_has_an_example_and_every_field_and_parameter_a_description(
    document: Json, operations: dict[str, Json]
) -> None:
    bare = [
        address
        for address, operation in operations.items()
        for media in _media(operation)
        if "example" not in media and not media.get("examples")
    ]
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description")
    ] + [
        f"{address} {each['name']}"
        for address, operation in operations.items()
        for each in operation["parameters"]
        if each["in"] != "path" and not each.get("description")
    ]
    assert (bare, silent) == ([], [])


def test_every_problem_that_an_operation_shows_is_one_of_the_table(
    operations: dict[str, Json],
) -> None:
    shown = {
        (code, int(status))
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for code in answer.get("content", {})
        .get("application/problem+json", {})
        .get("examples", {})
    }
    assert {(code, PROBLEMS[code].status) for code, _ in shown} == shown


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("POST /orders/create/", {"Idempotency-Key"}),
        ("POST /orders/start-payment/{order_id}/", {"Idempotency-Key", "Prefer"}),
        ("POST /orders/refund/{payment_id}/", {"Idempotency-Key"}),
        ("POST /orders/webhook/", set()),
    ],
)
def test_the_headers_that_are_heeded_are_described(
    operations: dict[str, Json], address: str, headers: set[str]
) -> None:
    described = {
        each["name"]: each for each in operations[address]["parameters"] if each["in"] == "header"
    }
    assert set(described) == headers
    for header in described.values():
        Draft202012Validator.check_schema(header["schema"])
        (example,) = header["schema"]["examples"]
        Draft202012Validator(header["schema"]).validate(example)
        assert header["description"]


@pytest.mark.parametrize(
    ("address", "ways"),
    [
        ("POST /orders/webhook/", []),
        ("POST /orders/create/", [{}, {"session": []}, {"api_key": ["orders:write"]}]),
        (
            "GET /orders/{order_id}/",
            [{"session": []}, {"order_token": []}, {"api_key": ["orders:read"]}],
        ),
        ("POST /orders/refund/{payment_id}/", [{"session": []}, {"api_key": ["refunds:write"]}]),
        ("POST /auth/keys/", [{"session": []}]),
    ],
)
def test_every_way_in_is_described(
    document: Json, operations: dict[str, Json], address: str, ways: list[Json]
) -> None:
    assert operations[address]["security"] == ways
    schemes = document["components"]["securitySchemes"]
    assert schemes["session"] | {"description": ""} == {
        "type": "apiKey",
        "in": "cookie",
        "name": "orders",
        "description": "",
    }
    named = {name for each in operations.values() for way in each["security"] for name in way}
    assert named == set(schemes)


def test_a_promise_says_where_and_when_to_ask_again(operations: dict[str, Json]) -> None:
    promised = operations["POST /orders/start-payment/{order_id}/"]["responses"]["202"]

    assert {"Location", "Retry-After"} <= promised["headers"].keys()


def test_the_states_that_are_documented_are_those_that_there_are(document: Json) -> None:
    schemas = document["components"]["schemas"]

    assert set(schemas["Order"]["properties"]["state"]["enum"]) == set(orders.STATES)
    assert set(schemas["Payment"]["properties"]["status"]["enum"]) == set(payment.STATES)
    assert set(schemas["Refund"]["properties"]["status"]["enum"]) == set(refund.STATES)
    assert set(schemas["Dispute"]["properties"]["state"]["enum"]) == set(dispute.STATES)
    assert set(orders.STATES) < set(schemas["Order"]["properties"]["status"]["enum"])
