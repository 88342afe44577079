"""What every page of the desk is made by: who may see it, how it looks, how an act ends."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any

import orjson
from flask import (
    Blueprint,
    Response,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from marshmallow import Schema, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from models import attention
from models.session import now, transaction
from web import admission, callers, errors, parsing, sessions
from web.admission import ROLES, View, Who
from web.desk import words
from web.errors import Problem
from web.headers import PAGE_POLICY
from web.idempotency import Once, fingerprint
from web.refusals import refusals

Act = Callable[[Session, str], str]
"""Does something in the name of somebody, and says in a sentence what."""

ASSETS = Path(__file__).parents[1] / "assets" / "desk"
FRONT = "/staff/"
_SAID = "desk-said"
_SECONDS_TO_READ = 60
_TURNED_AWAY = frozenset({401, 403, 404})
_UNAUTHENTICATED = 401
_REFUSED = 400

blueprint = Blueprint("desk", __name__, url_prefix="/staff")


def allows(who: Who) -> Callable[[View], View]:
    """Let staff of this role or a higher one in, who have signed in with their password."""
    access = admission.staff_in_person(who) if who in ROLES else admission.access(who)

    def declare(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        guarded = admission.guarded(view)

        @wraps(guarded)
        def answer(*args: Any, **path: Any) -> Any:
            return guarded(*args, **path)

        return answer

    return declare


def render(template: str, status: int = 200, **facts: Any) -> Response:
    """A page of the desk, with what was said to its reader since the last one."""
    said = _said()
    facts = {"waiting": _waiting(), **facts} if status < _REFUSED else facts
    page = make_response(render_template(f"desk/{template}", said=said, **facts), status)
    page.headers["Content-Security-Policy"] = PAGE_POLICY
    if said:
        page.delete_cookie(_SAID, path=FRONT)
    return page


def act(do: Act, *, back: str) -> AnyResponse:
    """Do it once for this form, however often it is sent, and tell on the page `back` what came.

    Who may not, or asks for what is not there, gets that page of its own.
    """
    try:
        told, mood = _once(do), "done"
    except Problem as problem:
        if problem.status in _TURNED_AWAY:
            raise
        told, mood = words.refusal(problem), "refused"
    return tell(told, mood, back=back)


def tell(told: str, mood: str, *, back: str) -> AnyResponse:
    """Show the page `back`, and on it what was said."""
    answer = redirect(back, 303)
    said = base64.urlsafe_b64encode(orjson.dumps({"told": told[:600], "mood": mood})).decode()
    answer.set_cookie(
        _SAID,
        said,
        max_age=_SECONDS_TO_READ,
        path=FRONT,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return answer


def claim() -> Once:
    """What makes this form's act happen once: the random key that it was given with the page."""
    key = request.form.get("once", "")[:64]
    given = sorted((name, value) for name, value in request.form.items(multi=True))
    return Once(
        caller=callers.present().name,
        endpoint=request.endpoint or "",
        key=key or None,
        fingerprint=fingerprint(f"POST {request.path}", given),
    )


def given(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says, read as the API reads a body; fields left empty are left out."""
    try:
        filled = {name: each for name, each in values.items() if each not in ("", None)}
        read: dict[str, Any] = schema.load(filled)
    except ValidationError as error:
        raise parsing.invalid(error.messages_dict) from None
    return read


def form() -> MultiDict[str, str]:
    """The fields of the form that was sent, without blanks around them."""
    return MultiDict((name, each.strip()) for name, each in request.form.items(multi=True))


def after() -> int | None:
    """The id after which the page of a list begins."""
    text = request.args.get("after", "")
    return int(text) if text.isdecimal() and len(text) <= len(str(2**62)) else None


def found(row: Any) -> Any:
    """The row, or the problem that there is none."""
    if row is None:
        raise Problem(404, "not_found")
    return row


@cache
def address_of(asset: str) -> str:
    """Where the asset is, with its digest, so that a browser may keep it for ever."""
    digest = hashlib.sha256((ASSETS / asset).read_bytes()).hexdigest()[:12]
    return f"{FRONT}assets/{asset}?{digest}"


def _once(do: Act) -> str:
    once, who = claim(), callers.present().name
    with refusals(), transaction() as session:
        if once.earlier(session) is not None:
            return "That was done already."
        told = do(session, who)
        once.remember(session, status=303)
    return told


def _said() -> dict[str, str] | None:
    try:
        said = orjson.loads(base64.urlsafe_b64decode(request.cookies.get(_SAID, "")))
        return {"told": str(said["told"]), "mood": str(said["mood"])}
    except (ValueError, KeyError, TypeError):
        return None


@blueprint.before_request
def _refuse_forgeries() -> None:
    """Only our own pages may send forms, also the one for signing in: browsers say whose it is."""
    if request.method != "POST":
        return
    origin = request.headers.get("Origin")
    is_ours = (
        sessions.is_ours(origin)
        if origin is not None
        else request.headers.get("Sec-Fetch-Site") == "same-origin"
    )
    if not is_ours:
        raise Problem(403, "unauthorized_origin")


@blueprint.errorhandler(Exception)
def _refused(error: Exception) -> Response:
    problem = errors.problem_of(error)
    if problem.status == _UNAUTHENTICATED:
        page = render("login.html", problem.status, then=request.full_path.rstrip("?"))
        page.headers["WWW-Authenticate"] = "Session"
        page.headers["HX-Refresh"] = "true"  # an open page shows the door, not a part of it
        return page
    page = render("refused.html", problem.status, problem=problem)
    page.headers.extend(problem.headers)
    return page


@blueprint.context_processor
def _words() -> dict[str, Any]:
    account = callers.present().user if "caller" in g else None
    role = account.role if account is not None and account.is_staff else None
    return {
        "w": words,
        "asset": address_of,
        "account": account,
        "may": lambda least: role is not None and ROLES.index(role) >= ROLES.index(least),
        "nav": _nav,
        "once": lambda: secrets.token_urlsafe(18),
    }


def desk_time(session: Session) -> words.Clock:
    """The moment of this page, by the clock of the database."""
    return words.Clock(session.scalars(select(now())).one())


def _waiting() -> int | None:
    """How much needs a person, for the head of each page of staff."""
    if not callers.present().is_staff:
        return None
    with transaction() as session:
        return attention.counted(session)


def _nav() -> list[tuple[str, str, bool]]:
    """The pages of the head: endpoint, name, and whether one is there."""
    return [
        (endpoint, name, request.path.startswith(url_for(endpoint)))
        for endpoint, name in (
            ("desk.orders_list", "Orders"),
            ("desk.person", "Needs a person"),
            ("desk.jobs", "Jobs"),
            ("desk.events", "Events"),
            ("desk.stock", "Stock"),
            ("desk.overview", "Overview"),
        )
    ]
