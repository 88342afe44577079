"""From the bytes of a request to checked data, or to a problem that says what is wrong."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import orjson
from flask import Request, g
from marshmallow import RAISE, Schema, ValidationError, missing
from webargs.flaskparser import FlaskParser

from web import headers
from web.errors import Problem

MAX_ERRORS = 50

_CODED = re.compile(r"([a-z_]+): (.*)", re.DOTALL)


class QueryParser(FlaskParser):
    """Parameters that do not fit their schema are a 400."""

    DEFAULT_VALIDATION_STATUS = 400
    # A filter that is misspelt would find everything.
    DEFAULT_UNKNOWN_BY_LOCATION = {"query": RAISE}  # noqa: RUF012 - as webargs has it

    def handle_error(
        self,
        error: ValidationError,
        req: Request,  # noqa: ARG002
        schema: Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        ((location, found),) = error.messages_dict.items()
        raise invalid(found, location)


def body_of(request: Request, schema: Schema) -> Any:
    """What the schema makes of the request's body, which is JSON or refused.

    `g.document` is from then on what the body says; None if there is none.
    """
    refuse_other_media_types(request)
    document = decode(read_body(request))
    g.document = None if document is missing else document
    try:
        return schema.load({} if document is missing else document)
    except ValidationError as error:
        raise invalid(error.messages_dict) from None


def refuse_other_media_types(request: Request) -> None:
    """Raise `unsupported_media_type` unless the body is plain JSON in UTF-8."""
    is_encoded = headers.sent("Content-Encoding")
    if request.content_type == "application/json" and not is_encoded:
        return  # as nearly all say it, and nothing to be taken apart
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json":
        sent = request.mimetype[:100] or "a body without Content-Type"
        refused = f"This endpoint takes application/json, not {sent}."
    elif charset not in ("utf-8", "utf8"):
        refused = f"JSON is UTF-8, not {charset[:100]}."
    elif is_encoded:
        refused = "The body must not be compressed."
    else:
        return
    raise Problem(415, "unsupported_media_type", refused)


def read_body(request: Request) -> bytes:
    """The whole body as sent, or the problem `body_too_large`, even if no length was announced."""
    body = request.get_data()
    # werkzeug cuts a chunked body at the limit and says nothing: what fills it may go on.
    if request.content_length is None and len(body) == request.max_content_length:
        raise Problem(413, "body_too_large")
    return body


def decode(body: bytes) -> Any:
    """The JSON document, `missing` if there are no bytes, or the problem `malformed_json`."""
    if not body:
        return missing
    try:
        # orjson refuses NaN, half surrogates, bad UTF-8 and bottomless nesting, but turns
        # integers past 64 bits into floats and lets the last of two equal names win.
        orjson.loads(body)
        return _STRICT.decode(body.decode())
    except RecursionError:
        raise Problem(400, "malformed_json", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem(400, "malformed_json", f"The body is not JSON: {error}.") from None


def invalid(found: Mapping[Any, Any], location: str = "json") -> Problem:
    """The problem that tells of all faults in marshmallow's messages, each "code: detail".

    Of what is not in the body, each fault is an `invalid_parameter`.
    """
    faults = [(path, *_coded(message)) for path, message in _messages(found)]
    if location != "json":
        faults = [(path, "invalid_parameter", detail) for path, _, detail in faults]
    code = _common_code({code for _, code, _ in faults})
    errors = [
        {**_place(path, location), "code": code, "detail": detail} for path, code, detail in faults
    ]
    return Problem(400, code, _summary(errors), errors=errors[:MAX_ERRORS])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return names


_STRICT = json.JSONDecoder(object_pairs_hook=_object)


def _messages(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(found, Mapping):
        for key, below in found.items():
            yield from _messages(below, path if key == "_schema" else (*path, str(key)))
    else:
        for message in found:
            yield path, message


def _coded(message: str) -> tuple[str, str]:
    named = _CODED.fullmatch(message)
    return (named[1], named[2]) if named else ("invalid_field", message)


def _common_code(codes: set[str]) -> str:
    """The one code that all faults share, missing fields aside: they often follow from it."""
    telling = codes - {"missing_field"} or codes
    return telling.pop() if len(telling) == 1 else "invalid_body"


def _place(path: Sequence[str], location: str) -> dict[str, str]:
    if location != "json":
        return {"parameter": ".".join(path)}
    steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return {"pointer": "".join(f"/{step}" for step in steps)}


def _summary(errors: Sequence[Mapping[str, str]]) -> str:
    if len(errors) > 1:
        return f"{len(errors)} fields are not valid."
    (error,) = errors
    place = error.get("pointer") or error.get("parameter")
    return f"{place}: {error['detail']}" if place else error["detail"]
