"""The pages for people: the payments with their buttons, and where a buyer authenticates."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.stripe import events, money
from sandbox.stripe.control import act
from sandbox.stripe.errors import Document, StripeError
from sandbox.stripe.state import Sandbox

SHOWN = 50
BUTTONS = {
    "requires_payment_method": ("pay", "decline", "cancel"),
    "requires_confirmation": ("pay", "decline", "cancel"),
    "requires_action": ("authenticate", "fail_authentication", "cancel"),
    "requires_capture": ("capture", "cancel"),
    "processing": ("finish_processing", "fail_processing"),
}


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the pages."""
    blueprint = Blueprint("page", __name__)
    blueprint.add_app_template_filter(money.written, "money")

    @blueprint.get("/")
    def overview() -> Response:
        with sandbox.store.transaction():
            return _page(
                "overview.html",
                payments=_payments(sandbox),
                deliveries=events.deliveries(sandbox.store)[:SHOWN],
                buttons=BUTTONS,
                problem=request.args.get("problem", ""),
            )

    @blueprint.post("/<any(payment_intent,charge):kind>s/<object_id>/<verb>")
    def press(kind: str, object_id: str, verb: str) -> AnyResponse:
        try:
            act(sandbox, kind, object_id, verb)
        except StripeError as error:
            return redirect("/?" + urlencode({"problem": str(error)}), 303)
        return redirect("/", 303)

    @blueprint.get("/authenticate/<client_secret>")
    def challenge(client_secret: str) -> Response:
        intent = _intent_of(sandbox, client_secret)
        return _page("authenticate.html", back=_return_url(intent), intent=intent)

    @blueprint.post("/authenticate/<client_secret>")
    def authenticate(client_secret: str) -> AnyResponse:
        intent = _intent_of(sandbox, client_secret)
        back = _return_url(intent)
        passed = request.form.get("passed") == "yes"
        verb = "authenticate" if passed else "fail_authentication"
        if intent["status"] == "requires_action":
            intent = act(sandbox, "payment_intent", intent["id"], verb)
        if not back:
            return _page("authenticate.html", back=None, intent=intent)
        return redirect(_with_result(back, intent, passed=passed), 303)

    return blueprint


def _payments(sandbox: Sandbox) -> list[tuple[Document, Document | None]]:
    intents = sandbox.store.newest("payment_intent", limit=SHOWN)
    return [
        (intent, sandbox.store.find("charge", intent["latest_charge"] or "")) for intent in intents
    ]


def _intent_of(sandbox: Sandbox, client_secret: str) -> Document:
    intent_id = client_secret.partition("_secret_")[0]
    with sandbox.store.transaction():
        intent = sandbox.store.get("payment_intent", intent_id)
    if intent["client_secret"] != client_secret:
        raise StripeError("No such payment.", status=404)
    return intent


def _return_url(intent: Document) -> str | None:
    action = (intent["next_action"] or {}).get("redirect_to_url", {})
    back: str | None = action.get("return_url")
    return back


def _with_result(back: str, intent: Document, *, passed: bool) -> str:
    result = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if passed else "failed",
    }
    return back + ("&" if urlsplit(back).query else "?") + urlencode(result)


def _page(template: str, *, back: str | None = None, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    # A browser holds the redirect that follows a form against form-action, too.
    target = urlsplit(back or "")
    shop = f" {target.scheme}://{target.netloc}" if back else ""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{shop}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
