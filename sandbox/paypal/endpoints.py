"""Every endpoint of the API: its name, path and window of repetition, and the verb behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.paypal import authorizations, captures, disputes, events, orders
from sandbox.paypal.call import Call
from sandbox.provider.refusal import Document

Verb = Callable[[Call, str, Any], Document]
View = Callable[[Call, Document], Document]
ORDERS_KEPT_SECONDS = 6 * 3600
PAYMENTS_KEPT_SECONDS = 45 * 86400
NO_CONTENT = 204


def _itself(_: Call, document: Document) -> Document:
    return document


def _nothing(_: Call, __: Document) -> Document:
    return {}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One call of the API; `name` is what faults are asked for by."""

    name: str
    method: str
    path: str
    run: Verb
    view: View = _itself
    minimal: View | None = None
    """How the answer looks unless the caller prefers the whole."""
    kind: str = ""
    kept_seconds: int = 0
    """For how long a `PayPal-Request-Id` is known here; 0: it means nothing."""
    status: int = 200


def _get(kind: str) -> Verb:
    return lambda call, object_id, _: call.store.get(kind, object_id)


def _get_order(call: Call, order_id: str, _: Document) -> Document:
    return orders.find(call, order_id)


ORDER = "/v2/checkout/orders/<object_id>"
AUTHORIZATION = "/v2/payments/authorizations/<object_id>"
CAPTURE = "/v2/payments/captures/<object_id>"
ENDPOINTS = (
    Endpoint(
        name="orders.create",
        method="POST",
        path="/v2/checkout/orders",
        run=orders.create,
        view=orders.shown,
        minimal=orders.minimal,
        kind="order",
        kept_seconds=ORDERS_KEPT_SECONDS,
        status=201,
    ),
    Endpoint(name="orders.get", method="GET", path=ORDER, run=_get_order, view=orders.shown),
    Endpoint(
        name="orders.patch",
        method="PATCH",
        path=ORDER,
        run=orders.patch,
        view=_nothing,
        status=NO_CONTENT,
    ),
    Endpoint(
        name="orders.capture",
        method="POST",
        path=f"{ORDER}/capture",
        run=orders.capture,
        view=orders.shown,
        minimal=orders.minimal,
        kind="order",
        kept_seconds=ORDERS_KEPT_SECONDS,
        status=201,
    ),
    Endpoint(
        name="orders.authorize",
        method="POST",
        path=f"{ORDER}/authorize",
        run=orders.authorize,
        view=orders.shown,
        minimal=orders.minimal,
        kind="order",
        kept_seconds=ORDERS_KEPT_SECONDS,
        status=201,
    ),
    Endpoint(
        name="authorizations.get",
        method="GET",
        path=AUTHORIZATION,
        run=_get("authorization"),
        view=authorizations.shown,
    ),
    Endpoint(
        name="authorizations.capture",
        method="POST",
        path=f"{AUTHORIZATION}/capture",
        run=authorizations.capture,
        view=captures.shown,
        kind="capture",
        kept_seconds=PAYMENTS_KEPT_SECONDS,
        status=201,
    ),
    Endpoint(
        name="authorizations.void",
        method="POST",
        path=f"{AUTHORIZATION}/void",
        run=authorizations.void,
        view=authorizations.shown,
    ),
    Endpoint(
        name="captures.get", method="GET", path=CAPTURE, run=_get("capture"), view=captures.shown
    ),
    Endpoint(
        name="captures.refund",
        method="POST",
        path=f"{CAPTURE}/refund",
        run=captures.refund,
        view=captures.shown_refund,
        kind="refund",
        kept_seconds=PAYMENTS_KEPT_SECONDS,
        status=201,
    ),
    Endpoint(
        name="refunds.get",
        method="GET",
        path="/v2/payments/refunds/<object_id>",
        run=_get("refund"),
        view=captures.shown_refund,
    ),
    Endpoint(name="disputes.list", method="GET", path="/v1/customer/disputes", run=disputes.listed),
    Endpoint(
        name="disputes.get",
        method="GET",
        path="/v1/customer/disputes/<object_id>",
        run=_get("dispute"),
        view=disputes.shown,
    ),
    Endpoint(name="events.list", method="GET", path=events.PATH, run=events.listed),
    Endpoint(
        name="events.get",
        method="GET",
        path=f"{events.PATH}/<object_id>",
        run=_get("event"),
        view=lambda _, event: events.shown(event),
    ),
    Endpoint(
        name="events.resend",
        method="POST",
        path=f"{events.PATH}/<object_id>/resend",
        run=events.resend,
        status=202,
    ),
)
