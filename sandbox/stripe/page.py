"""The page where a buyer authenticates."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.provider.page import page
from sandbox.stripe import money
from sandbox.stripe.control import act
from sandbox.stripe.errors import Document, StripeError
from sandbox.stripe.state import Sandbox


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the page."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/authenticate/<client_secret>")
    def challenge(client_secret: str) -> Response:
        intent = _intent_of(sandbox, client_secret)
        return _asked(intent, _method_of(sandbox, intent))

    @blueprint.post("/authenticate/<client_secret>")
    def authenticate(client_secret: str) -> AnyResponse:
        intent = _intent_of(sandbox, client_secret)
        back = _return_url(intent)
        passed = request.form.get("passed") == "yes"
        verb = "authenticate" if passed else "fail_authentication"
        if intent["status"] == "requires_action":
            intent = act(sandbox, "payment_intent", intent["id"], verb)
        if not back:
            return _asked(intent, None)
        return redirect(_with_result(back, intent, passed=passed), 303)

    return blueprint


def _asked(intent: Document, method: str | None) -> Response:
    """The question, or how the payment is if there is nothing to ask any more."""
    return page(
        "authenticate.html",
        back=_return_url(intent),
        title="Stripe",
        amount=money.written(intent["amount"], intent["currency"]),
        status=intent["status"],
        is_asked=intent["status"] == "requires_action",
        method=method,
    )


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
