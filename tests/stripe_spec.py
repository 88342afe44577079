"""Judges requests, answers and events by Stripe's own OpenAPI document, brought up to endive."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).parents[2] / "shared" / "specs"
needs_spec = pytest.mark.skipif(
    not (SPECS / "stripe.openapi.json").exists(), reason="Stripe's OpenAPI document is not there"
)
Json = dict[str, Any]
# Stripe has these, but the document was cut to the paths that a payment needs. The parameters are
# those of the SDK's `ChargeListParams` and `DisputeListParams`, the fields those of its classes.
CUT_AWAY = {"/v1/charges": "/v1/refunds", "/v1/disputes": "/v1/refunds"}
CUT_AWAY_OBJECTS = {
    "radar.early_fraud_warning": (
        "id object actionable charge created fraud_type livemode payment_intent"
    ),
    "review": (
        "id object billing_zip charge closed_reason created ip_address ip_address_location livemode"
        " open opened_reason payment_intent reason session"
    ),
}


def validate_request(method: str, path: str, form_body: str) -> None:
    """Raise ValidationError unless Stripe knows every parameter, and its type, at this path.

    `form_body` is the body of a POST or the query of a GET, both with brackets.
    """
    schema = _request_schema(method, _template(method, CUT_AWAY.get(path, path)))
    pairs = parse_qsl(form_body, keep_blank_values=True)
    _check(_typed(_tree(pairs), schema), schema)


def validate_response(method: str, path: str, status: int, body: Json) -> None:
    """Raise ValidationError unless the body is what Stripe answers there, without extra fields."""
    if status >= 400:
        _check(body, _component("error"))
        _check_fields(body["error"].get("payment_intent"))
        return
    template = _find_template(method, path)
    if template is not None:
        answers = _document()["paths"][template][method.lower()]["responses"]
        _check(body, answers["200"]["content"]["application/json"]["schema"])
    _check_fields(body)


def validate_event(event: Json) -> None:
    """Raise ValidationError unless the event and the object that it tells of are Stripe's."""
    _check(event, _component("event"))
    _check_fields(event["data"]["object"])


class ValidatingHTTPClient(stripe.RequestsClient):
    """The SDK's HTTP client; all that passes through it is judged, but for refused requests."""

    def request(  # type: ignore[override]  # as RequestsClient itself
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send, and raise ValidationError for what is not Stripe's."""
        content, status, received = super().request(method, url, headers, post_data)
        if status < 400:
            _validate_sent(method, url, post_data)
        validate_response(method, urlsplit(url).path, status, json.loads(content))
        return content, status, received


class StrictHTTPClient(ValidatingHTTPClient):
    """Judges every request, also one that is refused or gets no answer."""

    def request(  # type: ignore[override]  # as RequestsClient itself
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send, and raise ValidationError for what is not Stripe's."""
        _validate_sent(method, url, post_data)
        return super().request(method, url, headers, post_data)


def _validate_sent(method: str, url: str, post_data: str | None) -> None:
    parts = urlsplit(url)
    validate_request(method, parts.path, post_data or parts.query)


def _check_fields(body: object) -> None:
    """Judge each object, in a list or alone, by its own schema with no field besides."""
    if not isinstance(body, dict):
        return
    if body["object"] in ("list", "search_result"):
        for item in body["data"]:
            _check_fields(item)
    elif body["object"] == "event":
        validate_event(body)
    elif body["object"] in CUT_AWAY_OBJECTS:
        _check_names(body)
    else:
        _check(body, _component(body["object"]))


def _check_names(body: Json) -> None:
    names = set(CUT_AWAY_OBJECTS[body["object"]].split())
    if names != set(body):
        raise ValidationError(f"{body['object']} with {names ^ set(body)} too many or too few")


def _check(value: object, schema: Json) -> None:
    error = next(_validator(json.dumps(schema)).iter_errors(value), None)
    if error is not None:
        raise ValidationError(f"{error.json_path}: {error.message[:500]} {_causes(error)}")


def _causes(error: ValidationError) -> str:
    causes = [f"{cause.json_path}: {cause.message[:200]}" for cause in error.context or ()]
    return "; ".join(causes[:20])


@cache
def _validator(schema: str) -> Draft202012Validator:
    resource = Resource.from_contents(_document(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:stripe", resource)
    return Draft202012Validator(json.loads(schema), registry=registry)


def _component(name: str) -> Json:
    return {"$ref": f"urn:stripe#/components/schemas/{name}"}


@cache
def _document() -> Json:
    document = _json_schema(json.loads((SPECS / "stripe.openapi.json").read_text()))
    delta = json.loads((SPECS / "stripe.endive.delta.json").read_text())
    for name, changes in delta["request"].items():
        method, path = name.split(" ")
        properties = _form_schema(document, method, path)["properties"]
        for removed in changes["remove"]:
            del properties[removed]
        properties |= changes["add"]
    for name, changes in delta["response"].items():
        properties = document["components"]["schemas"][name]["properties"]
        properties |= {field: {} for field in changes["add"]}
        properties["status"].get("enum", []).extend(changes.get("status", {}).get("add", []))
    _allow_endive_fields(document["components"]["schemas"])
    return cast("Json", document)


def _allow_endive_fields(schemas: Json) -> None:
    """Refuse unknown fields of the main objects, now that endive's are known."""
    for name in ("charge", "dispute", "event", "payment_intent", "payment_method", "refund"):
        schemas[name]["additionalProperties"] = False


def _json_schema(node: Any) -> Any:
    """JSON Schema of an OpenAPI 3.0 schema: absolute references, null as a type of its own."""
    if isinstance(node, list):
        return [_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {name: _json_schema(value) for name, value in node.items() if name != "nullable"}
    if isinstance(schema.get("$ref"), str):
        schema["$ref"] = "urn:stripe" + schema["$ref"]
    if node.get("nullable") is True:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _form_schema(document: Json, method: str, path: str) -> Json:
    content = document["paths"][path][method.lower()]["requestBody"]["content"]
    return cast("Json", content["application/x-www-form-urlencoded"]["schema"])


def _request_schema(method: str, template: str) -> Json:
    if method.upper() != "GET":
        return _form_schema(_document(), method, template)
    parameters = _document()["paths"][template]["get"].get("parameters", [])
    in_query = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
    return {"type": "object", "properties": in_query, "additionalProperties": False}


def _template(method: str, path: str) -> str:
    template = _find_template(method, path)
    if template is None:
        raise ValidationError(f"Stripe's document has no {method} {path}")
    return template


def _find_template(method: str, path: str) -> str | None:
    templates = sorted(_document()["paths"], key=lambda template: template.count("{"))
    for template in templates:
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in _document()["paths"][template]:
            return cast("str", template)
    return None


def _tree(pairs: list[tuple[str, str]]) -> Json:
    tree: Json = {}
    for name, value in pairs:
        branch, (*parents, leaf) = tree, re.findall(r"[^\[\]]+", name)
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _typed(value: Any, schema: Json) -> Any:
    """The form's strings in the types that the schema wants, where they can be read so."""
    if "anyOf" in schema:
        return _first_fit(value, schema["anyOf"])
    kind = schema.get("type")
    if isinstance(value, dict):
        return _typed_branch(value, schema)
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _first_fit(value: Any, alternatives: list[Json]) -> Any:
    readings = [(_typed(value, schema), schema) for schema in alternatives]
    fits = [
        reading for reading, schema in readings if _validator(json.dumps(schema)).is_valid(reading)
    ]
    return fits[0] if fits else readings[0][0]


def _typed_branch(value: Json, schema: Json) -> Any:
    if schema.get("type") == "array":
        return [_typed(item, schema["items"]) for item in value.values()]
    inside = schema.get("properties", {})
    other = schema.get("additionalProperties") or {}
    return {name: _typed(item, inside.get(name, other)) for name, item in value.items()}
