"""The pages for people: the payments with their buttons, and where a buyer authenticates."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.provider import deliveries
from sandbox.provider.page import page
from sandbox.stripe import money
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
            return page(
                "overview.html",
                payments=_payments(sandbox),
                deliveries=deliveries.listed(sandbox.store, sandbox.wording)[:SHOWN],
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
        method = _method_of(sandbox, intent)
        return page("authenticate.html", back=_return_url(intent), intent=intent, method=method)

    @blueprint.post("/authenticate/<client_secret>")
    def authenticate(client_secret: str) -> AnyResponse:
        intent = _intent_of(sandbox, client_secret)
        back = _return_url(intent)
        passed = request.form.get("passed") == "yes"
        verb = "authenticate" if passed else "fail_authentication"
        if intent["status"] == "requires_action":
            intent = act(sandbox, "payment_intent", intent["id"], verb)
        if not back:
            return page("authenticate.html", back=None, intent=intent, method=None)
        return redirect(_with_result(back, intent, passed=passed), 303)

    return blueprint


def _payments(sandbox: Sandbox) -> list[tuple[Document, Document | None]]:
    intents = sandbox.store.newest("payment_intent", limit=SHOWN)
    return [
        (intent, sandbox.store.find("charge", intent["latest_charge"] or "")) for intent in intents
    ]


def _method_of(sandbox: Sandbox, intent: Document) -> str | None:
    """What kind of payment method the intent is being paid with."""
    with sandbox.store.transaction():
        method = sandbox.store.find("payment_method", intent["payment_method"] or "")
    return str(method["type"]) if method else None


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
