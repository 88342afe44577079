"""The edge of the web: what happens to every request before and after its view."""

import re
import secrets
from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, Response, g
from flask.json.provider import JSONProvider
from werkzeug.routing import IntegerConverter, Map

import settings
from web import access, headers, shedding
from web.api import API_CONFIG, Api

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_BIGINT_MAX = 2**63 - 1


class OrjsonProvider(JSONProvider):
    """Strict and fast JSON for Flask: no NaN, times as RFC 3339."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        return orjson.dumps(obj).decode()

    def response(self, *args: Any, **options: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, options))
        return Response(body, mimetype="application/json")

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        return orjson.loads(s)


class IdConverter(IntegerConverter):
    """An id in a path: a number that no `bigint` can hold is not found, not an error."""

    def __init__(self, map: Map) -> None:  # noqa: A002 - werkzeug's name
        super().__init__(map, max=_BIGINT_MAX)


def install(app: Flask) -> Api:
    """Give `app` its edge; views are then registered on the API that comes back."""
    chosen = settings.current()
    app.config.update(API_CONFIG, MAX_CONTENT_LENGTH=chosen.max_body_bytes)
    app.json = OrjsonProvider(app)
    # No view of ours is a coroutine; Flask would ask it anew in every layer of every request.
    app.ensure_sync = _as_it_is  # type: ignore[method-assign]
    app.url_map.converters["int"] = IdConverter
    app.before_request(_identify)
    app.after_request(_tell_request_id)
    access.register(app)
    shedding.register(app)
    headers.register(app, https_only=chosen.is_production)
    return Api(app)


def _as_it_is(func: Callable[..., Any]) -> Callable[..., Any]:
    return func


def _identify() -> None:
    given = headers.sent("X-Request-Id") or ""
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _tell_request_id(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    return response
