"""A client that believes the published document, and fails whenever the app does not keep it."""

import re
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

Json = dict[str, Any]


class ContractClient(FlaskClient):
    """Every answer must be documented: its status, its media type, its body, its problem's code."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = super().open(*args, **kwargs)
        operation = _operation(self.application, answer.request.path, answer.request.method)
        if operation is not None:
            _check(self.application, operation, answer)
        return answer


@cache
def document(app: Flask) -> Json:
    """The OpenAPI document of `app`."""
    found: Json = FlaskClient(app, app.response_class).get("/orders/schema/").get_json()
    return found


def template(rule: Rule) -> str:
    """The path of a route as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _operation(app: Flask, path: str, method: str) -> Json | None:
    try:
        rule, _ = app.url_map.bind("shop").match(path, method, return_rule=True)
    except HTTPException:
        return None
    found: Json | None = document(app)["paths"].get(template(rule), {}).get(method.lower())
    return found


def _check(app: Flask, operation: Json, answer: TestResponse) -> None:
    documented = operation["responses"].get(str(answer.status_code))
    assert documented, f"{answer.status_code} is not documented: {answer.text}"
    content = documented["content"]
    assert answer.mimetype in content, answer.mimetype
    promised = content[answer.mimetype]
    _validator(app, promised["schema"]["$ref"]).validate(answer.get_json())
    if answer.mimetype == "application/problem+json":
        assert answer.get_json()["code"] in promised["examples"], answer.text


@cache
def _validator(app: Flask, reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference, "components": document(app)["components"]})
