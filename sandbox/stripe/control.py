"""The control surface under /_control/: what tests and the page do to the sandbox."""

from collections.abc import Callable

from flask import Blueprint, request

from sandbox.provider import control
from sandbox.provider.account import DEFAULTS
from sandbox.provider.desk import Desk, Shown
from sandbox.stripe import attempts, disputes, money, payment_intents, radar, refunds
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
LEDGER = {
    "payment_intent": INTENT_FIELDS,
    "charge": CHARGE_FIELDS,
    "refund": REFUND_FIELDS,
    "dispute": DISPUTE_FIELDS,
}
FITTING = {
    "requires_payment_method": ("pay", "decline", "cancel"),
    "requires_confirmation": ("pay", "decline", "cancel"),
    "requires_action": ("authenticate", "fail_authentication", "cancel"),
    "requires_capture": ("capture", "cancel"),
    "processing": ("finish_processing", "fail_processing"),
}
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


def create_desk(sandbox: Sandbox) -> Desk:
    """Return what people can do at this account."""
    return Desk(
        title="Stripe",
        kinds=("payment_intent", "charge", "refund", "dispute"),
        act=lambda kind, object_id, verb: act(sandbox, kind, object_id, verb),
        shown=lambda limit: _shown(sandbox, limit),
        ledger=lambda: {
            f"{kind}s": _columns(sandbox, kind, names) for kind, names in LEDGER.items()
        },
    )


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the control surface."""
    return control.create_blueprint(
        sandbox,
        create_desk(sandbox),
        settings=set(CONFIGURATION) - set(DEFAULTS),
        given_at_start={"webhook_url", "webhook_secret"},
        later=lambda: _expire(sandbox),
    )


def _shown(sandbox: Sandbox, limit: int) -> list[Shown]:
    intents = sandbox.store.newest("payment_intent", limit=limit)
    charges = (sandbox.store.find("charge", each["latest_charge"] or "") for each in intents)
    return [_payment(*pair) for pair in zip(intents, charges, strict=True)]


def _payment(intent: Document, charge: Document | None) -> Shown:
    notes, error = [], intent["last_payment_error"]
    acts = [f"payment_intents/{intent['id']}/{verb}" for verb in FITTING.get(intent["status"], ())]
    if charge is not None and charge["amount_refunded"]:
        notes.append(f"{money.written(charge['amount_refunded'], charge['currency'])} refunded")
    if charge is not None and charge["disputed"]:
        notes.append("disputed")
    elif charge is not None and charge["captured"] and not charge["refunded"]:
        acts += [f"charges/{charge['id']}/{verb}" for verb in ("refund", "dispute")]
    return Shown(
        id=intent["id"],
        mark=intent["metadata"].get("payment_id", ""),
        amount=money.written(intent["amount"], intent["currency"]),
        status=intent["status"],
        notes=(*notes, error["message"]) if error else tuple(notes),
        is_taken=intent["amount_received"] > 0,
        acts=tuple(acts),
    )


def _expire(sandbox: Sandbox) -> None:
    with sandbox.call() as call:
        payment_intents.expire_authorisations(call)


def _columns(sandbox: Sandbox, kind: str, names: tuple[str, ...]) -> list[Document]:
    documents = sandbox.store.newest(kind, ascending=True)
    return [{name: document[name] for name in names} for document in documents]
