"""Every error leaves as RFC 9457 problem+json: what a view refuses and what went wrong."""

import logging
from collections.abc import Mapping, Sequence

from flask import Flask, Response, current_app, g
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

import settings
from web.problems import PROBLEMS

PROBLEM_JSON = "application/problem+json"
PROBLEMS_PATH = "/orders/docs/problems"

_CODES_OF_HTTP = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "busy",
}
_UNAUTHENTICATED, _SERVER_ERROR = 401, 500

_log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A refusal. `code` is one of PROBLEMS, and `status` is that code's, or this raises at once."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | None = None,
        *,
        hint: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: object,
    ) -> None:
        kind = PROBLEMS[code]
        if status != kind.status:
            raise ValueError(f"{code} is a {kind.status}, not a {status}")
        super().__init__(code, detail)
        self.status = status
        self.code = code
        self.title = kind.title
        self.detail = detail or f"{kind.title}."
        self.hint = hint or kind.hint
        self.errors = errors
        self.headers = headers or {}
        self.extensions = extensions

    def body(self, request_id: str) -> dict[str, object]:
        """The members of RFC 9457, ours, and the extensions of this problem."""
        return {
            "type": f"{settings.current().public_url}{PROBLEMS_PATH}#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
            "request_id": request_id,
            **({"errors": self.errors} if self.errors else {}),
            **self.extensions,
        }


def register(app: Flask) -> None:
    """Let no error leave `app` in another form, and no exception with its text."""
    app.register_error_handler(Exception, lambda error: _answer(problem_of(error)))


def problem_of(error: Exception) -> Problem:
    """What an error is to whoever asked; what nobody has foreseen is logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _refused_by_http(error)
    if isinstance(error, PoolTimeoutError):
        return _busy(error)
    if isinstance(error, DBAPIError):
        return _database_error(error)
    return _unexpected(error)


def _answer(problem: Problem) -> Response:
    challenge = {"WWW-Authenticate": "Bearer"} if problem.status == _UNAUTHENTICATED else {}
    return current_app.response_class(
        current_app.json.dumps(problem.body(g.request_id)),
        status=problem.status,
        mimetype=PROBLEM_JSON,
        headers={**challenge, **problem.headers},
    )


def _refused_by_http(error: HTTPException) -> Problem:
    """Keep what routing and Flask say, with its headers: 405 carries Allow."""
    status = error.code or _SERVER_ERROR
    fallback = "bad_request" if status < _SERVER_ERROR else "internal_error"
    code = _CODES_OF_HTTP.get(status, fallback)
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return Problem(PROBLEMS[code].status, code, error.description, headers=headers)


def _database_error(error: DBAPIError) -> Problem:
    """What PEP 249 calls operational is not the request's fault: locks, time-outs, lost lines."""
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return _busy(error)
    return _unexpected(error)


def _busy(error: DBAPIError | PoolTimeoutError) -> Problem:
    reason = getattr(error, "orig", None) or error
    _log.warning("request %s: the database is busy: %s", g.request_id, type(reason).__name__)
    return Problem(503, "busy", headers={"Retry-After": "1"})


def _unexpected(error: Exception) -> Problem:
    _log.error("request %s failed", g.request_id, exc_info=error)
    return Problem(500, "internal_error")
