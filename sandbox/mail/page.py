"""The HTTP side of the sink: pages for people, JSON for tests, and the control of faults."""

from collections.abc import Callable
from dataclasses import asdict

from flask import Blueprint, Flask, Response, abort, current_app, jsonify, render_template, request

from sandbox.mail.faults import FaultError, Faults, parse
from sandbox.mail.mailbox import Mail, Mailbox

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

pages = Blueprint("mail", __name__)


def create_app(mailbox: Mailbox, faults: Faults, changed: Callable[[], None]) -> Flask:
    """The application; `changed` is called after each change of the faults."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]  # no other name leads here
    app.extensions.update(mailbox=mailbox, faults=faults, changed=changed)
    app.register_blueprint(pages)
    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _mailbox() -> Mailbox:
    mailbox: Mailbox = current_app.extensions["mailbox"]
    return mailbox


def _faults() -> Faults:
    faults: Faults = current_app.extensions["faults"]
    return faults


def _mail(number: int) -> Mail:
    return _mailbox().get(number) or abort(404)


@pages.get("/")
def listing() -> str:
    return render_template("mails.html", mails=_mailbox().all()[::-1], faults=_faults().all())


@pages.get("/messages/<int:number>")
def reading(number: int) -> str:
    return render_template("mail.html", mail=_mail(number))


@pages.get("/messages/<int:number>/html")
def preview(number: int) -> Response:
    """The HTML part as it came, where nothing in it can run, load or reach out."""
    response = Response(_mail(number).html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _MAIL_POLICY
    return response


@pages.get("/messages")
def messages() -> Response:
    return jsonify([asdict(mail) for mail in _mailbox().all()])


@pages.delete("/messages")
def clear_messages() -> tuple[str, int]:
    _mailbox().clear()
    return "", 204


@pages.get("/_control/faults")
def faults() -> Response:
    return jsonify([asdict(fault) for fault in _faults().all()])


@pages.post("/_control/faults")
def add_fault() -> tuple[Response, int]:
    try:
        fault = parse(request.get_json())
    except FaultError as error:
        return jsonify(error=str(error)), 400
    _faults().add(fault)
    current_app.extensions["changed"]()
    return jsonify(asdict(fault)), 201


@pages.delete("/_control/faults")
def clear_faults() -> tuple[str, int]:
    _faults().clear()
    current_app.extensions["changed"]()
    return "", 204
