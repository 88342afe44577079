"""Judges requests, answers and events by PayPal's own OpenAPI documents.

They are of 2024-02-03 and hold neither OAuth nor disputes: `GAPS` says what is not judged.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).parents[2] / "shared" / "specs"
NAMES = ("paypal.orders.v2", "paypal.payments.v2", "paypal.webhooks.v1")
needs_spec = pytest.mark.skipif(
    not (SPECS / f"{NAMES[0]}.json").exists(), reason="PayPal's OpenAPI documents are not there"
)
Json = dict[str, Any]
GAPS: Mapping[str, str] = {
    "/v1/oauth2/token": "the documents have no OAuth",
    "/v1/customer/disputes": "the documents have no disputes",
    "/v1/notifications/certs": "a certificate is no JSON",
}
"""What is not judged, by how its path begins, and why."""
RESOURCES = {
    "checkout-order": ("paypal.orders.v2", "order"),
    "authorization": ("paypal.payments.v2", "authorization-2"),
    "capture": ("paypal.payments.v2", "capture-2"),
    "refund": ("paypal.payments.v2", "refund"),
}
_UNJUDGED = {204, 429}  # no body; not in the documents
Place = tuple[str, Json]
"""A schema and the document that its references are of."""


def validate_request(method: str, url: str, body: object) -> None:
    """Raise ValidationError unless PayPal knows every field and parameter, and its type, there."""
    found = _operation(method, urlsplit(url).path)
    if found is None:
        return
    name, operation = found
    known = {each["name"] for each in _parameters(name, operation) if each["in"] == "query"}
    known.add("next_page_token")  # of a link that an answer gave: callers follow it as it is
    if strangers := {field for field, _ in parse_qsl(urlsplit(url).query)} - known:
        raise ValidationError(f"unknown parameters: {strangers}")
    if body is not None:
        expected = _resolved((name, operation["requestBody"]))[1]
        _check(body, (name, expected["content"]["application/json"]["schema"]))


def validate_response(method: str, url: str, status: int, body: object) -> None:
    """Raise ValidationError unless the body is what PayPal answers there, without extra fields."""
    found = _operation(method, urlsplit(url).path)
    if found is None or status in _UNJUDGED:
        return
    name, operation = found
    responses = operation["responses"]
    # A repetition is answered with 200, as the documents say, in the words of the first answer.
    chosen = responses.get(str(status)) or responses["201" if status == 200 else "default"]
    answer = _resolved((name, chosen))[1]
    if "content" in answer:
        schema = answer["content"]["application/json"]["schema"]
        _check(_without_descriptions(body), (name, schema))
    for event in body.get("events", ()) if isinstance(body, dict) else ():
        validate_event(event)


def validate_event(event: Json) -> None:
    """Raise ValidationError unless the event and what it tells of are PayPal's."""
    _check(event, ("paypal.webhooks.v1", {"$ref": "#/components/schemas/event"}))
    if place := RESOURCES.get(event["resource_type"]):
        _check(event["resource"], (place[0], {"$ref": f"#/components/schemas/{place[1]}"}))


class JudgingSession(requests.Session):
    """All that passes through it is judged."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send, and raise ValidationError for what is not PayPal's."""
        method, url = str(request.method), str(request.url)
        validate_request(method, url, json.loads(request.body or "") if _is_json(request) else None)
        answer = super().send(request, **options)
        if "json" in answer.headers.get("Content-Type", "") and answer.content:
            validate_response(method, url, answer.status_code, answer.json())
        return answer


def _without_descriptions(body: object) -> object:
    """A refusal without what may change at any time, as PayPal's documents say of themselves."""
    if not isinstance(body, dict) or "details" not in body:
        return body
    details = [{"issue": each["issue"]} for each in body["details"]]
    return body | {"details": details}


def _is_json(request: requests.PreparedRequest) -> bool:
    return bool(request.body) and request.headers.get("Content-Type") == "application/json"


def _check(value: object, place: Place) -> None:
    name, schema = place
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"urn:{name}#/'))
    error = next(Draft202012Validator(absolute, registry=_registry()).iter_errors(value), None)
    if error is not None:
        causes = [f"{each.json_path}: {each.message[:150]}" for each in error.context or ()]
        raise ValidationError(f"{error.json_path}: {error.message[:400]} {'; '.join(causes)}")
    strangers = list(_strangers(value, place, "$"))
    if strangers:
        raise ValidationError(f"fields that PayPal does not name: {strangers}")


def _strangers(value: object, place: Place, path: str) -> Iterator[str]:
    """The fields of a value, however deep, that its schema does not name."""
    name, schema = _resolved(place)
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strangers(each, (name, schema.get("items", {})), f"{path}[{index}]")
    if not isinstance(value, dict) or schema.get("additionalProperties"):
        return
    named = _properties((name, schema))
    for field, each in value.items() if named else ():
        if field in named:
            yield from _strangers(each, (name, named[field]), f"{path}.{field}")
        else:
            yield f"{path}.{field}"


def _properties(place: Place) -> Json:
    name, schema = _resolved(place)
    found = dict(schema.get("properties", {}))
    for part in ("allOf", "oneOf", "anyOf"):
        for each in schema.get(part, ()):
            found |= _properties((name, each))
    return found


def _resolved(place: Place) -> Place:
    name, schema = place
    while "$ref" in schema:
        found: Any = _document(name)
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return name, schema


def _operation(method: str, path: str) -> tuple[str, Json] | None:
    """The operation in the document that has it; None for what no document has."""
    if path.startswith(tuple(GAPS)):
        return None
    for name in NAMES:
        for template, operations in _document(name)["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in operations:
                return name, operations[method.lower()]
    raise ValidationError(f"PayPal's documents have no {method} {path}")


def _parameters(name: str, operation: Json) -> list[Json]:
    return [_resolved((name, each))[1] for each in operation.get("parameters", ())]


@cache
def _document(name: str) -> Json:
    document: Json = json.loads((SPECS / f"{name}.json").read_text())
    return document


@cache
def _registry() -> Registry[Any]:
    found: Registry[Any] = Registry()
    for name in NAMES:
        text = json.dumps(_document(name)).replace('"#/', f'"urn:{name}#/')
        resource = Resource.from_contents(json.loads(text), default_specification=DRAFT202012)
        found = found.with_resource(f"urn:{name}", resource)
    return found
