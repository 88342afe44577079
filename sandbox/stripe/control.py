"""The control surface under /_control/: what tests and the page do to the sandbox."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.stripe import attempts, courier, disputes, events, payment_intents, radar, refunds
from sandbox.stripe.call import CONFIGURATION, Call, configuration, configure
from sandbox.stripe.errors import CardError, Document, StripeError, missing
from sandbox.stripe.faults import KINDS, Fault
from sandbox.stripe.state import Sandbox

MODES = ("normal", "drop", "double", "reorder", "hold", "delay")
MOST_COPIES = 50
SETTINGS = set(CONFIGURATION) - {"id", "deliveries", "clock_offset"}
GIVEN_AT_START = {"webhook_url", "webhook_secret"}
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
    blueprint = Blueprint("control", __name__, url_prefix="/_control")
    blueprint.register_error_handler(StripeError, _refused)
    _add_faults(blueprint, sandbox)
    _add_deliveries(blueprint, sandbox)
    _add_settings(blueprint, sandbox)
    _add_records(blueprint, sandbox)

    @blueprint.post("/<any(payment_intent,charge,refund,dispute):kind>s/<object_id>/<verb>")
    def do(kind: str, object_id: str, verb: str) -> ResponseReturnValue:
        return jsonify(act(sandbox, kind, object_id, verb))

    return blueprint


def _refused(error: StripeError) -> ResponseReturnValue:
    return jsonify(error.body()), error.status


def _given(*names: str) -> Document:
    given = request.get_json(silent=True)
    if not isinstance(given, dict) or set(given) - set(names):
        raise StripeError(f"Send a JSON object with some of: {', '.join(names)}")
    return given


def _add_faults(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.post("/faults")
    def add_fault() -> ResponseReturnValue:
        given = _given(*Fault.__dataclass_fields__)
        if given.get("fault") not in KINDS or "endpoint" not in given:
            raise StripeError(f"endpoint is a name or *, fault is one of: {', '.join(KINDS)}")
        sandbox.faults.add(Fault(**given))
        return jsonify(sandbox.faults.pending())

    @blueprint.get("/faults")
    def list_faults() -> ResponseReturnValue:
        return jsonify(sandbox.faults.pending())

    @blueprint.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        sandbox.faults.clear()
        return jsonify(sandbox.faults.pending())


def _add_deliveries(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.post("/deliveries")
    def set_mode() -> ResponseReturnValue:
        policy = CONFIGURATION["deliveries"] | _given("mode", "copies", "seconds")
        if policy["mode"] not in MODES:
            raise StripeError(f"mode is one of: {', '.join(MODES)}")
        with sandbox.store.transaction():
            return jsonify(configure(sandbox.store, deliveries=policy)["deliveries"])

    @blueprint.post("/deliveries/release")
    def release() -> ResponseReturnValue:
        with sandbox.store.transaction():
            events.release(sandbox.store)
            return jsonify(events.deliveries(sandbox.store))

    @blueprint.get("/deliveries")
    def list_deliveries() -> ResponseReturnValue:
        with sandbox.store.transaction():
            return jsonify(events.deliveries(sandbox.store))

    @blueprint.post("/events/<event_id>/deliver")
    def deliver(event_id: str) -> ResponseReturnValue:
        copies = min(MOST_COPIES, _given("copies").get("copies", 1))
        with sandbox.store.transaction():
            if events.find(sandbox.store, event_id) is None:
                raise missing("event", event_id, "id")
        with ThreadPoolExecutor(copies) as pool:
            sends = [pool.submit(courier.send, sandbox.store, event_id) for _ in range(copies)]
            return jsonify([sent.result() for sent in sends])


def _add_settings(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.post("/config")
    def change() -> ResponseReturnValue:
        with sandbox.store.transaction():
            return jsonify(configure(sandbox.store, **_given(*SETTINGS)))

    @blueprint.delete("/config")
    def forget() -> ResponseReturnValue:
        defaults = {name: CONFIGURATION[name] for name in SETTINGS - GIVEN_AT_START}
        with sandbox.store.transaction():
            return jsonify(configure(sandbox.store, **defaults))

    @blueprint.get("/config")
    def show() -> ResponseReturnValue:
        with sandbox.store.transaction():
            return jsonify(configuration(sandbox.store))

    @blueprint.post("/clock")
    def move_clock() -> ResponseReturnValue:
        seconds = int(_given("advance_seconds").get("advance_seconds", 0))
        with sandbox.store.transaction():
            offset = configuration(sandbox.store)["clock_offset"] + seconds
            configure(sandbox.store, clock_offset=offset)
        with sandbox.call() as call:
            payment_intents.expire_authorisations(call)
            return jsonify({"now": call.now})

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        sandbox.faults.clear()
        sandbox.limits.clear()
        sandbox.requests.clear()
        with sandbox.store.transaction():
            sandbox.store.clear()
            deliveries = CONFIGURATION["deliveries"]
            return jsonify(configure(sandbox.store, deliveries=deliveries, clock_offset=0))


def _add_records(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/ledger")
    def show_ledger() -> ResponseReturnValue:
        with sandbox.store.transaction():
            return jsonify(
                {
                    "payment_intents": _columns(sandbox, "payment_intent", INTENT_FIELDS),
                    "charges": _columns(sandbox, "charge", CHARGE_FIELDS),
                    "refunds": _columns(sandbox, "refund", REFUND_FIELDS),
                }
            )

    @blueprint.get("/requests")
    def list_requests() -> ResponseReturnValue:
        wanted = request.args.items()
        chosen = list(sandbox.requests)
        for name, value in wanted:
            chosen = [entry for entry in chosen if str(entry.get(name)) == value]
        return jsonify(chosen)


def _columns(sandbox: Sandbox, kind: str, names: tuple[str, ...]) -> list[Document]:
    documents = sandbox.store.newest(kind, ascending=True)
    return [{name: document[name] for name in names} for document in documents]
