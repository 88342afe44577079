"""The way in and out of the desk, and what its pages are made of."""

from flask import Response, redirect, request, send_from_directory, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from models.user import User
from web import auth, callers, sessions
from web.desk.frame import ASSETS, allows, blueprint, given, render
from web.desk.words import refusal
from web.errors import Problem

_LOG_IN = auth.LogIn()
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@blueprint.get("/")
@allows("everyone")
def front() -> AnyResponse:
    """The orders, or who is not signed in, the way in."""
    caller = callers.present()
    if caller.is_staff and caller.key is None:
        return redirect(url_for("desk.orders_list"))
    return render("login.html", then="")


@blueprint.post("/")
@allows("everyone")
def log_in() -> AnyResponse:
    """Sign in with the password of a member of staff."""
    then = request.form.get("then", "")
    try:
        account = _known(**given(_LOG_IN, request.form.to_dict() | {"then": ""}))
    except Problem as problem:
        return render("login.html", problem.status, then=then, wrong=refusal(problem))
    sessions.renew(account)
    return redirect(then if _is_of_the_desk(then) else url_for("desk.orders_list"), 303)


@blueprint.post("/desk/log-out/")
@allows("everyone")
def log_out() -> AnyResponse:
    """Sign out here."""
    session.clear()
    return redirect(url_for("desk.front"), 303)


@blueprint.get("/desk/")
@allows("viewer")
def desk() -> AnyResponse:
    """The page that most work begins with."""
    return redirect(url_for("desk.orders_list"))


@blueprint.get("/desk/<path:unknown>")
@allows("viewer")
def nowhere(unknown: str) -> AnyResponse:
    """What a wrong address leads to: a page of the desk that says so."""
    raise Problem(404, "not_found", f"The desk has no page {unknown}.")


@blueprint.get("/assets/<path:file>")
@allows("everyone")
def asset(file: str) -> Response:
    """Style sheets, script and their licences: nothing of the desk comes from elsewhere."""
    answer = send_from_directory(ASSETS, file)
    answer.headers["Cache-Control"] = _FOR_A_YEAR
    return answer


def _known(email: str, password: str) -> User:
    account = auth.known(email, password)
    if not account.is_staff:
        raise Problem(401, "invalid_credentials", "This is no account of staff.")
    return account


def _is_of_the_desk(address: str) -> bool:
    return address.startswith("/staff/desk/") and "\\" not in address and "\n" not in address
