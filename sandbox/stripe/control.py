"""The control surface under /_control/: what tests and the page do to the sandbox."""

from collections.abc import Callable

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.provider import control
from sandbox.provider.account import DEFAULTS
from sandbox.stripe import attempts, disputes, payment_intents, radar, refunds
from sandbox.stripe.call import CONFIGURATION, Call
from sandbox.stripe.errors import CardError, Document, StripeError
from sandbox.stripe.state import Sandbox

INTENT_FIELDS = ("id", "created", "amount", "amount_received", "currency", "status", "metadata")
CHARGE_FIELDS = (
    "id",
    "created",
    "amount",
    "amount_captured",
    "amount_refunded",
    "currency",
    "status",
    "captured",
    "disputed",
    "payment_intent",
    "metadata",
)
REFUND_FIELDS = (
    "id",
    "created",
    "amount",
    "currency",
    "status",
    "charge",
    "payment_intent",
    "reason",
    "metadata",
)
DISPUTE_FIELDS = ("id", "created", "amount", "currency", "status", "charge", "payment_intent")
Act = Callable[[Call, Document], Document]


def _confirm_with(default: str) -> Act:
    def act(call: Call, intent: Document) -> Document:
        named = (request.get_json(silent=True) or {}).get("payment_method", default)
        try:
            return payment_intents.confirm(
                call, intent["id"], {"payment_method": named, "use_stripe_sdk": True}
            )
        except CardError as error:
            declined: Document = error.error["payment_intent"]
            return declined

    return act


def _fail_processing(call: Call, intent: Document) -> Document:
    attempts.expect(intent, "fail", "processing")
    declined: Document = attempts.decline(call, intent).error["payment_intent"]
    return declined


def _finish_processing(call: Call, intent: Document) -> Document:
    attempts.expect(intent, "finish", "processing")
    return attempts.settle(call, intent)


def _cancel(call: Call, intent: Document) -> Document:
    return payment_intents.cancel(call, intent["id"], {"cancellation_reason": "automatic"})


def _capture(call: Call, intent: Document) -> Document:
    return payment_intents.capture(call, intent["id"], {})


def _refund(call: Call, charge: Document) -> Document:
    given = request.get_json(silent=True) or {}
    allowed = {name: given[name] for name in ("amount", "reason", "metadata") if name in given}
    return refunds.create(call, {"charge": charge["id"]} | allowed)


ACTS: dict[tuple[str, str], Act] = {
    ("payment_intent", "pay"): _confirm_with("pm_card_visa"),
    ("payment_intent", "decline"): _confirm_with("pm_card_chargeDeclined"),
    ("payment_intent", "authenticate"): attempts.authenticate,
    ("payment_intent", "fail_authentication"): attempts.fail_authentication,
    ("payment_intent", "finish_processing"): _finish_processing,
    ("payment_intent", "fail_processing"): _fail_processing,
    ("payment_intent", "capture"): _capture,
    ("payment_intent", "cancel"): _cancel,
    ("charge", "refund"): _refund,
    ("charge", "dispute"): disputes.open_dispute,
    ("charge", "warn"): radar.warn,
    ("charge", "review"): radar.review,
    ("refund", "succeed"): lambda call, refund: refunds.settle(call, refund, "succeeded"),
    ("refund", "fail"): lambda call, refund: refunds.settle(call, refund, "failed"),
    ("dispute", "win"): lambda call, dispute: disputes.close(call, dispute, "won"),
    ("dispute", "lose"): lambda call, dispute: disputes.close(call, dispute, "lost"),
}


def act(sandbox: Sandbox, kind: str, object_id: str, verb: str) -> Document:
    """Do to an object what a buyer, a bank or the dashboard would."""
    if (kind, verb) not in ACTS:
        raise StripeError(f"There is nothing called {verb} to do to a {kind}.", status=404)
    with sandbox.call() as call:
        return ACTS[kind, verb](call, call.store.get(kind, object_id))


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the control surface."""
    blueprint = control.create_blueprint(
        sandbox,
        settings=set(CONFIGURATION) - set(DEFAULTS),
        given_at_start={"webhook_url", "webhook_secret"},
        later=lambda: _expire(sandbox),
    )

    @blueprint.get("/ledger")
    def show_ledger() -> ResponseReturnValue:
        with sandbox.store.transaction():
            return jsonify(
                {
                    "payment_intents": _columns(sandbox, "payment_intent", INTENT_FIELDS),
                    "charges": _columns(sandbox, "charge", CHARGE_FIELDS),
                    "refunds": _columns(sandbox, "refund", REFUND_FIELDS),
                    "disputes": _columns(sandbox, "dispute", DISPUTE_FIELDS),
                }
            )

    @blueprint.post("/<any(payment_intent,charge,refund,dispute):kind>s/<object_id>/<verb>")
    def do(kind: str, object_id: str, verb: str) -> ResponseReturnValue:
        return jsonify(act(sandbox, kind, object_id, verb))

    return blueprint


def _expire(sandbox: Sandbox) -> None:
    with sandbox.call() as call:
        payment_intents.expire_authorisations(call)


def _columns(sandbox: Sandbox, kind: str, names: tuple[str, ...]) -> list[Document]:
    documents = sandbox.store.newest(kind, ascending=True)
    return [{name: document[name] for name in names} for document in documents]
