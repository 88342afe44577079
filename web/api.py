"""flask-smorest on our terms: our parser, problem+json, and documentation true to both."""

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

import flask_smorest
from flask import Flask, request
from marshmallow import Schema as MarshmallowSchema

import settings
from settings import Settings
from web import admission, errors, limits, parsing, sessions
from web.admission import View, Who
from web.errors import PROBLEM_JSON, PROBLEMS_PATH
from web.examples import example_of
from web.problems import PROBLEMS
from web.representations import Problem

Decorator = Callable[[View], View]

API_CONFIG = {
    "API_TITLE": "Orders",
    "API_VERSION": "1.0.0",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "Bodies are JSON. Money is a decimal string with the digits of its "
            f"currency. Errors are RFC 9457 [problems]({PROBLEMS_PATH}) with a stable code.",
        }
    },
}

_BODY_PROBLEMS = (
    "malformed_json",
    "invalid_body",
    "missing_field",
    "unknown_field",
    "invalid_field",
    "body_too_large",
    "unsupported_media_type",
)
_BEARERS = {
    "order_token": ("ord_…", "The token of the order, from the answer that placed it."),
    "api_key": ("ok_…", "An API key: it acts as its user, as far as its scopes go."),
}


class Api(flask_smorest.Api):  # type: ignore[misc]
    """The API of one app; its errors are problems, in its answers and in its documentation."""

    ERROR_SCHEMA = Problem

    def init_app(self, app: Flask, **options: Any) -> None:
        super().init_app(app, **options)
        cookie = {"type": "apiKey", "in": "cookie", "name": sessions.cookie_name()}
        described = {**cookie, "description": "Set by `/auth/login/`, and for guests by an order."}
        self.spec.components.security_scheme("session", described)
        for name, (form, description) in _BEARERS.items():
            scheme = {"type": "http", "scheme": "bearer", "bearerFormat": form}
            self.spec.components.security_scheme(name, {**scheme, "description": description})

    def _register_error_handlers(self) -> None:
        errors.register(self._app)

    def _register_pagination_header(self) -> None:
        """Document no header: lists have a cursor in their body."""

    def _register_responses(self) -> None:
        super()._register_responses()
        failures = {status.name: status.phrase for status in HTTPStatus if status >= 400}  # noqa: PLR2004
        for name, phrase in {**failures, "DEFAULT_ERROR": "Any other problem."}.items():
            content = {PROBLEM_JSON: {"schema": self.ERROR_SCHEMA}}
            response = {"description": phrase, "content": content}
            self.spec.components.response(name, response, lazy=True)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint whose bodies go through our parser and whose problems are documented."""

    ARGUMENTS_PARSER = parsing.QueryParser()

    def doc(self, **members: Any) -> Decorator:
        """Document the view with these members of its operation."""
        return _only_told(super().doc(**members))

    def route(self, rule: str, **options: Any) -> Decorator:
        """Register the view at `rule`; its operationId is blueprint and function.

        Whom it `allows` is asked before all else; a view that does not say is refused at once.
        """
        register: Decorator = super().route(rule, **options)
        return lambda view: register(
            self.doc(operationId=f"{self.name}_{options.get('endpoint', view.__name__)}")(
                admission.guarded(view)
            )
        )

    def allows(self, who: Who, scope: str | None = None) -> Decorator:
        """Say who may call the view, and which scope their API key needs for it."""
        access = admission.access(who, scope)
        document = self.problems(*access.problems, *(() if self.name == "health" else ("busy",)))
        secure = self.doc(security=access.security)

        def declare(view: View) -> View:
            declared = secure(document(view))
            declared.access = access  # type: ignore[attr-defined]
            return declared

        return declare

    def limited(self, per_minute: Callable[[Settings], int]) -> Decorator:
        """Let each client call the view so often a minute; `per_minute` reads the settings."""
        document = self.problems("too_many_requests", "invalid_key")

        def limit(view: View) -> View:
            @wraps(view)
            def limiting(*args: Any, **path: Any) -> Any:
                limits.check_rate(
                    request.endpoint or "", per_minute(settings.current()), limits.client()
                )
                return view(*args, **path)

            return document(limiting)

        return limit

    def arguments(
        self, schema: MarshmallowSchema, *, location: str = "json", **options: Any
    ) -> Decorator:
        """Pass the view what `schema` reads from the request; what does not fit is a problem."""
        is_body = location == "json"
        document = self.problems(*(_BODY_PROBLEMS if is_body else ("invalid_parameter",)))
        example = _example_of(schema) if is_body else {}
        told = _only_told(super().arguments(schema, location=location, **{**example, **options}))

        def given() -> Any:
            if is_body:
                return parsing.body_of(request, schema)
            return self.ARGUMENTS_PARSER.parse(schema, request, location=location)

        def take(view: View) -> View:
            @wraps(told(document(view)))
            def taking(*args: Any, **path: Any) -> Any:
                return view(*args, given(), **path)

            return taking

        return take

    def response(
        self,
        status_code: int,
        schema: MarshmallowSchema | None = None,
        *,
        is_rendered: bool = False,
        **options: Any,
    ) -> Decorator:
        """Show what the view returns as `schema` describes it, unless it is rendered already."""
        shown: Decorator = super().response(
            status_code, schema, **{**_example_of(schema), **options}
        )
        return _only_told(shown) if is_rendered else shown

    def alt_response(
        self, status_code: int, *, schema: MarshmallowSchema | None = None, **options: Any
    ) -> Decorator:
        """Document another answer of the view."""
        return _only_told(
            super().alt_response(status_code, schema=schema, **{**_example_of(schema), **options})
        )

    def headers(self, *parameters: Mapping[str, Any]) -> Decorator:
        """Document the request headers that the view heeds, each made by `header`."""
        return self.doc(parameters=list(parameters))

    def problems(self, *codes: str) -> Decorator:
        """Document which problems the view answers with; an unknown code is an error at once."""
        responses: dict[int, Any] = {}
        for code in codes:
            status = PROBLEMS[code].status
            examples = responses.setdefault(status, _no_problem_yet(status))
            examples["content"][PROBLEM_JSON]["examples"][code] = {"value": problem_example(code)}
        return self.doc(responses=responses)


def header(name: str, description: str, example: str, **schema: object) -> dict[str, Any]:
    """An optional request header, for the documentation."""
    return {
        "in": "header",
        "name": name,
        "description": description,
        "schema": {"type": "string", "examples": [example], **schema},
    }


def _only_told(document: Decorator) -> Decorator:
    """Keep what this says of a view, and the view as it is: flask-smorest wraps it each time."""

    def declare(view: View) -> View:
        view._apidoc = document(view)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001
        return view

    return declare


def problem_example(code: str) -> dict[str, object]:
    """What a problem of this code looks like."""
    kind = PROBLEMS[code]
    return {
        "type": f"{PROBLEMS_PATH}#{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "code": code,
        "hint": kind.hint,
        "request_id": "3c1f0a7e5b9d4e62",
    }


def _example_of(schema: MarshmallowSchema | None) -> Mapping[str, Any]:
    return {} if schema is None else {"example": example_of(schema)}


def _no_problem_yet(status: int) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM_JSON: content}}
