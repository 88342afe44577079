"""Every endpoint of the API: its name, path and parameters, and the verb behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.stripe import parameters, payment_intents, refunds, views
from sandbox.stripe.call import Call
from sandbox.stripe.errors import Document
from sandbox.stripe.forms import Rule

Verb = Callable[[Call, str, Document], Document]


@dataclass(frozen=True)
class Endpoint:
    """One call of the API; `name` is what faults are asked for by."""

    name: str
    method: str
    path: str
    accepts: Mapping[str, Rule]
    run: Verb
    for_browsers: bool = False


def _retrieve(kind: str, param: str = "id") -> Verb:
    return lambda call, object_id, _: call.store.get(kind, object_id, param)


def _list(kind: str, path: str) -> Verb:
    return lambda call, _, params: views.page(call, kind, path, params)


def _create_intent(call: Call, _: str, params: Document) -> Document:
    return payment_intents.create(call, params)


def _search(call: Call, _: str, params: Document) -> Document:
    return views.search(call, params)


def _create_refund(call: Call, _: str, params: Document) -> Document:
    return refunds.create(call, params)


INTENTS, INTENT = "/v1/payment_intents", "/v1/payment_intents/<object_id>"
ENDPOINTS = (
    Endpoint("payment_intents.create", "POST", INTENTS, parameters.CREATE, _create_intent),
    Endpoint(
        "payment_intents.list", "GET", INTENTS, parameters.PAGE, _list("payment_intent", INTENTS)
    ),
    Endpoint("payment_intents.search", "GET", f"{INTENTS}/search", parameters.SEARCH, _search),
    Endpoint(
        "payment_intents.retrieve",
        "GET",
        INTENT,
        parameters.EXPAND,
        _retrieve("payment_intent", "intent"),
        for_browsers=True,
    ),
    Endpoint("payment_intents.update", "POST", INTENT, parameters.UPDATE, payment_intents.update),
    Endpoint(
        "payment_intents.confirm",
        "POST",
        f"{INTENT}/confirm",
        parameters.CONFIRM,
        payment_intents.confirm,
        for_browsers=True,
    ),
    Endpoint(
        "payment_intents.cancel",
        "POST",
        f"{INTENT}/cancel",
        parameters.CANCEL,
        payment_intents.cancel,
    ),
    Endpoint(
        "payment_intents.capture",
        "POST",
        f"{INTENT}/capture",
        parameters.CAPTURE,
        payment_intents.capture,
    ),
    Endpoint(
        "charges.list", "GET", "/v1/charges", parameters.CHARGES, _list("charge", "/v1/charges")
    ),
    Endpoint(
        "charges.retrieve", "GET", "/v1/charges/<object_id>", parameters.EXPAND, _retrieve("charge")
    ),
    Endpoint("refunds.create", "POST", "/v1/refunds", parameters.REFUND, _create_refund),
    Endpoint(
        "refunds.list", "GET", "/v1/refunds", parameters.REFUNDS, _list("refund", "/v1/refunds")
    ),
    Endpoint(
        "refunds.retrieve", "GET", "/v1/refunds/<object_id>", parameters.EXPAND, _retrieve("refund")
    ),
    Endpoint(
        "refunds.update",
        "POST",
        "/v1/refunds/<object_id>",
        parameters.REFUND_UPDATE,
        refunds.update,
    ),
    Endpoint(
        "disputes.list", "GET", "/v1/disputes", parameters.REFUNDS, _list("dispute", "/v1/disputes")
    ),
    Endpoint(
        "disputes.retrieve",
        "GET",
        "/v1/disputes/<object_id>",
        parameters.EXPAND,
        _retrieve("dispute"),
    ),
    Endpoint("events.list", "GET", "/v1/events", parameters.EVENTS, _list("event", "/v1/events")),
    Endpoint(
        "events.retrieve", "GET", "/v1/events/<object_id>", parameters.EXPAND, _retrieve("event")
    ),
)
