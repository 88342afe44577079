"""The sandbox desk at `/dev/`: look behind the shop, and break what it stands on."""

import os
import signal
from contextlib import suppress
from typing import Any

import requests
from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import Forbidden, HTTPException, NotFound, ServiceUnavailable

from sandbox.dev import sight
from sandbox.dev.stage import Stage, present
from tasks import audit
from web.headers import PAGE_POLICY

_LOCAL_NAMES = ("127.0.0.1", "localhost")
_SECONDS = 10
_BROKEN = 500
_OPENINGS = {"stripe": "payment_intents.create", "paypal": "orders.create"}
"""By which endpoint each provider opens a payment."""

blueprint = Blueprint(
    "dev",
    __name__,
    url_prefix="/dev",
    static_folder="static",
    template_folder="templates",
)


@blueprint.before_request
def _refuse_strangers() -> None:
    """Keep other machines, and pages of other sites, from steering what runs here."""
    if request.host.rpartition(":")[0] not in _LOCAL_NAMES and request.host not in _LOCAL_NAMES:
        raise Forbidden("The desk answers at 127.0.0.1 only.")
    if request.headers.get("Origin") not in (None, f"http://{request.host}"):
        raise Forbidden("Not from another site.")


@blueprint.errorhandler(HTTPException)
def _refused(error: HTTPException) -> tuple[dict[str, Any], int]:
    return {"detail": error.description}, error.code or _BROKEN


@blueprint.get("/")
def desk() -> Response:
    stage = _stage()
    page = render_template(
        "dev/desk.html",
        addresses=stage.addresses,
        providers=[*stage.controls],
        openings=_OPENINGS,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = f"{PAGE_POLICY}; connect-src 'self' {_provider()}"
    return response


@blueprint.get("/sight/")
def see() -> dict[str, Any]:
    """All that the desk shows, as it is now."""
    return sight.everything(_stage())


@blueprint.get("/proof/")
def proof() -> dict[str, Any]:
    """What became of the orders of one buyer, counted in all three ledgers."""
    return sight.proof(_stage(), request.args.get("email", ""))


@blueprint.post("/audit/")
def ask_auditor() -> dict[str, Any]:
    """Ask every row whether a promise is broken."""
    found = list(audit.whole())
    return {"found": [{"promise": promise.name, "detail": each.detail} for promise, each in found]}


@blueprint.post("/processes/<name>/kill/")
def kill(name: str) -> dict[str, Any]:
    """`kill -9`; the runner starts it again."""
    pid = _stage().killable.get(name)
    if pid is None:
        raise NotFound(f"No process is called {name}.")
    with suppress(ProcessLookupError):  # it was faster
        os.kill(pid, signal.SIGKILL)
    return {"killed": pid}


@blueprint.route("/providers/<name>/<path:act>", methods=["POST", "DELETE"])
def steer(name: str, act: str) -> tuple[dict[str, Any] | list[Any], int]:
    """Hand an act on to the control surface of a provider."""
    control = _stage().controls.get(name)
    if control is None:
        raise NotFound("That provider is the real one: use its dashboard.")
    given = request.get_json(silent=True) or {}
    answer = requests.request(request.method, f"{control}/{act}", json=given, timeout=_SECONDS)
    said = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    return said, answer.status_code


def _stage() -> Stage:
    stage = present()
    if stage is None:
        raise ServiceUnavailable("Nothing is known of the processes: start them with make run.")
    return stage


def _provider() -> str:
    return str(_stage().addresses["provider"])
