"""The control surface under /_control/, as far as it is the same for every provider."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.provider import courier, deliveries
from sandbox.provider.account import DEFAULTS, Account
from sandbox.provider.desk import Desk, add_to_control
from sandbox.provider.faults import KINDS, Fault
from sandbox.provider.refusal import Document, Refusal

MODES = ("normal", "drop", "double", "reorder", "hold", "delay")
MOST_COPIES = 50
INNER = {"deliveries", "clock_offset"}


class WrongOrderError(Refusal):
    """The control surface was asked for what it does not know."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message, status)

    def body(self) -> Document:
        """One field with the message."""
        return {"error": {"message": str(self)}}


def create_blueprint(
    account: Account,
    desk: Desk,
    *,
    settings: set[str],
    given_at_start: set[str],
    later: Callable[[], None] = lambda: None,
) -> Blueprint:
    """Return the routes of the control surface; `later` is called when the clock has moved.

    `settings` can be changed besides those of every provider; `given_at_start` have no default.
    """
    blueprint = Blueprint("control", __name__, url_prefix="/_control")
    blueprint.register_error_handler(Refusal, _refused)
    _add_faults(blueprint, account)
    _add_deliveries(blueprint, account)
    _add_settings(blueprint, account, settings | set(DEFAULTS) - INNER, given_at_start)
    _add_clock(blueprint, account, later)
    _add_requests(blueprint, account)
    add_to_control(blueprint, account, desk)
    return blueprint


def _refused(error: Refusal) -> ResponseReturnValue:
    return jsonify(error.body()), error.status


def given(*names: str) -> Document:
    """The JSON object that was sent, with no other fields than these."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict) or set(sent) - set(names):
        raise WrongOrderError(f"Send a JSON object with some of: {', '.join(names)}")
    return sent


def _add_faults(blueprint: Blueprint, account: Account) -> None:
    @blueprint.post("/faults")
    def add_fault() -> ResponseReturnValue:
        fault = given(*Fault.__dataclass_fields__)
        if fault.get("fault") not in KINDS or "endpoint" not in fault:
            raise WrongOrderError(f"endpoint is a name or *, fault is one of: {', '.join(KINDS)}")
        account.faults.add(Fault(**fault))
        return jsonify(account.faults.pending())

    @blueprint.get("/faults")
    def list_faults() -> ResponseReturnValue:
        return jsonify(account.faults.pending())

    @blueprint.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        account.faults.clear()
        return jsonify(account.faults.pending())


def _add_deliveries(blueprint: Blueprint, account: Account) -> None:
    store, wording = account.store, account.wording

    @blueprint.post("/deliveries")
    def set_mode() -> ResponseReturnValue:
        policy = store.default("deliveries") | given("mode", "copies", "seconds")
        if policy["mode"] not in MODES:
            raise WrongOrderError(f"mode is one of: {', '.join(MODES)}")
        with store.transaction():
            return jsonify(store.configure(deliveries=policy)["deliveries"])

    @blueprint.post("/deliveries/release")
    def release() -> ResponseReturnValue:
        with store.transaction():
            deliveries.release(store)
            return jsonify(deliveries.listed(store, wording))

    @blueprint.post("/signatures")
    def sign() -> ResponseReturnValue:
        with store.transaction():
            return jsonify(wording.sign(store, request.get_data()))

    @blueprint.get("/deliveries")
    def list_deliveries() -> ResponseReturnValue:
        with store.transaction():
            return jsonify(deliveries.listed(store, wording))

    @blueprint.post("/events/<event_id>/deliver")
    def deliver(event_id: str) -> ResponseReturnValue:
        copies = min(MOST_COPIES, given("copies").get("copies", 1))
        with store.transaction():
            if wording.find(store, event_id) is None:
                raise WrongOrderError(f"No such event: {event_id}", 404)
        with ThreadPoolExecutor(copies) as pool:
            sends = [pool.submit(courier.send, account, event_id) for _ in range(copies)]
            return jsonify([sent.result() for sent in sends])


def _add_settings(
    blueprint: Blueprint, account: Account, names: set[str], given_at_start: set[str]
) -> None:
    store = account.store

    @blueprint.post("/config")
    def change() -> ResponseReturnValue:
        with store.transaction():
            return jsonify(store.configure(**given(*names)))

    @blueprint.delete("/config")
    def forget() -> ResponseReturnValue:
        defaults = {name: store.default(name) for name in names - given_at_start}
        with store.transaction():
            return jsonify(store.configure(**defaults))

    @blueprint.get("/config")
    def show() -> ResponseReturnValue:
        with store.transaction():
            return jsonify(store.configuration())


def _add_clock(blueprint: Blueprint, account: Account, later: Callable[[], None]) -> None:
    store = account.store

    @blueprint.post("/clock")
    def move_clock() -> ResponseReturnValue:
        seconds = int(given("advance_seconds").get("advance_seconds", 0))
        with store.transaction():
            store.configure(clock_offset=store.configuration()["clock_offset"] + seconds)
        later()
        with store.transaction():
            return jsonify({"now": store.present})

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        account.faults.clear()
        account.limits.clear()
        account.requests.clear()
        with store.transaction():
            store.clear()
            policy = store.default("deliveries")
            return jsonify(store.configure(deliveries=policy, clock_offset=0))


def _add_requests(blueprint: Blueprint, account: Account) -> None:
    @blueprint.get("/requests")
    def list_requests() -> ResponseReturnValue:
        chosen = list(account.requests)
        for name, value in request.args.items():
            chosen = [entry for entry in chosen if str(entry.get(name)) == value]
        return jsonify(chosen)
