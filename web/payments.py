"""Payments: started by an order's owner, opened at the provider by a worker."""

from collections.abc import Mapping
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

import settings
from models import asking, capturing, looking, money, orders, payment, starting
from models.orders import Order
from models.payment import Payment
from models.session import at_once, transaction
from providers import registry
from web import callers, charging, offering, rendering, waiting
from web.api import Blueprint
from web.callers import Caller
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, Once, once
from web.patience import (
    ASK_AGAIN_HEADERS,
    LOCATION_HEADER,
    PAUSE_HEADER,
    PREFER_HEADER,
    WATCH,
    preferred,
    watched,
)
from web.refusals import refusals
from web.representations import PAYMENT, PAYMENT_OPTIONS
from web.schemas import EMPTY, PaymentOptionsQuery, start_payment

Answer = tuple[dict[str, Any], int, Mapping[str, str]]

blueprint = Blueprint("payments", __name__, url_prefix="/orders", description="Pay an order.")


@blueprint.route("/start-payment/<int:order_id>/", methods=["POST"])
@blueprint.allows("owner", "orders:write")
@blueprint.limited(lambda chosen: chosen.limit_orders_per_minute)
@blueprint.arguments(start_payment(registry.NAMES))
@blueprint.response(200, PAYMENT, headers=REPLAYED_HEADER)
@blueprint.alt_response(202, schema=PAYMENT, headers={**ASK_AGAIN_HEADERS, **REPLAYED_HEADER})
@blueprint.headers(KEY_HEADER, PREFER_HEADER)
@blueprint.problems(
    "unknown_provider",
    "not_found",
    "already_paid",
    "payment_in_progress",
    "payment_not_offered",
    "order_closing",
    "order_closed",
    *charging.PROBLEMS,
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "request_in_progress",
    "unauthorized_origin",
    "busy",
)
def start(body: dict[str, Any], order_id: int) -> Answer:
    """Start the order's payment, or return the one that is open.

    200 with `client_secret` or `redirect_url` if the provider answers in time, else 202: ask
    `Location` again. If the payment that is open is of another provider or method, it is closed
    first, and the new one is `waiting` until then.
    `Prefer: wait=N` or `respond-async` says how long to wait.
    """
    caller = callers.present()
    # The key comes later: it would tell others that it was used.
    order, country = _owned(order_id, caller)
    claim = once(f"order:{order_id}:{caller.name}")
    with transaction() as session:
        payment_id, replayed = _start(session, order, country, body, caller=caller, claim=claim)
    preference, seconds = preferred(settings.current().start_payment_wait_seconds)
    look = _Look(payment_id)
    pause = waiting.room.wait(f"payment:{payment_id}", seconds, look.is_answered)
    shown, status, headers = _answer(look.seen, pause)
    return shown, status, {**headers, **preference, **(REPLAYED if replayed else {})}


@blueprint.route("/payments/<int:payment_id>/")
@blueprint.allows("owner", "orders:read")
@blueprint.arguments(WATCH, location="query")
@blueprint.response(200, PAYMENT, headers=PAUSE_HEADER)
@blueprint.problems("not_found")
def show(query: dict[str, Any], payment_id: int) -> Answer:
    """Where the payment stands, and for its owner what a browser needs to pay it."""
    caller = callers.present()
    return watched(
        query,
        f"payment:{payment_id}",
        lambda: _seen_by(caller, payment_id),
        lambda: _state_of(payment_id),
    )


def _state_of(payment_id: int) -> str:
    with transaction() as session:
        return session.get_one(Payment, payment_id).state


def _seen_by(caller: Caller, payment_id: int) -> dict[str, Any]:
    with transaction() as session:
        row, order = orders.with_order(session, Payment, payment_id)
        if not caller.may_see(order):
            raise Problem(404, "not_found")
        looking.hasten(session, row)
        return _shown(session, row, for_owner=caller.owns(order))


@blueprint.route("/payment-options/")
@blueprint.allows("everyone")
@blueprint.arguments(PaymentOptionsQuery(), location="query")
@blueprint.response(200, PAYMENT_OPTIONS)
@blueprint.problems("not_found", "invalid_key")
def options(query: dict[str, Any]) -> dict[str, Any]:
    """The ways to pay an order, or an amount in a currency from a country."""
    currency, country, minor = query["currency"], query["country"], None
    if query["order"] is not None:
        currency, country, minor = _of_order(query["order"])
    elif query["amount"] is not None:
        minor = money.minor_from_decimal(query["amount"], currency)
    offered = offering.offers(currency, country, minor)
    return {"currency": currency, "options": [_option(each, currency) for each in offered]}


def _of_order(order_id: int) -> tuple[str, str, int]:
    """The order's currency, country and total, if the caller may see it."""
    with transaction() as session:
        found = asking.with_country(session, order_id)
    if found is None or not callers.present().may_see(found[0]):
        raise Problem(404, "not_found")
    order, country = found
    return order.currency, country, order.total_minor


def _option(offer: offering.Offer, currency: str) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "payment_method": offer.method.name,
        "flow": "redirect" if offer.method.is_redirect else "form",
        "publishable_key": registry.get(offer.provider).publishable_key,
        "minimum": money.decimal_string(offer.amounts.start, currency),
        "maximum": money.decimal_string(offer.amounts[-1], currency),
    }


@blueprint.route("/capture/<int:payment_id>/", methods=["POST"])
@blueprint.allows("clerk", "orders:write")
@blueprint.arguments(EMPTY)
@blueprint.response(202, PAYMENT, headers=LOCATION_HEADER)
@blueprint.problems("not_found", "role_too_low", "unauthorized_origin", "not_capturable", "busy")
def capture(_body: dict[str, Any], payment_id: int) -> Answer:
    """Have the money taken that the customer's bank has reserved: all of it, once."""
    with refusals(), transaction() as session:
        row = capturing.request(session, payment_id, who=callers.present().name)
        shown = _shown(session, row, for_owner=False)
    return shown, 202, {"Location": url_for("payments.show", payment_id=payment_id)}


def _owned(order_id: int, caller: Caller) -> tuple[Order, str]:
    """The caller's own order as it is at this moment, and its country, which does not change."""
    with at_once() as session:
        found = asking.with_country(session, order_id)
    if found is None or not caller.owns(found[0]):
        raise Problem(404, "not_found")
    return found


def _start(
    session: Session,
    order: Order,
    country: str,
    body: Mapping[str, Any],
    *,
    caller: Caller,
    claim: Once,
) -> tuple[int, bool]:
    """The payment's id, and whether the key has started it before."""
    earlier = claim.earlier(session)
    if earlier is not None and earlier.payment_id is not None:
        return earlier.payment_id, True
    chosen = (body["provider"], body["payment_method"])
    way = offering.way(order, country, *chosen)
    _check_amount(order, way.provider)
    is_chosen = any(chosen)
    with refusals():
        started = starting.start(session, order.id, way, who=caller.name, is_chosen=is_chosen)
    claim.remember(session, status=200, payment_id=started.id, order_id=order.id)
    return started.id, False


def _check_amount(order: Order, provider: str) -> None:
    amounts = charging.chargeable(order.currency, [provider])
    if order.total_minor not in amounts:
        raise amounts.refusal(order.total_minor)


class _Look:
    """Looks at a payment until the provider has answered; what it has seen is not read again."""

    seen: Payment

    def __init__(self, payment_id: int) -> None:
        self._payment_id = payment_id

    def is_answered(self) -> bool:
        with at_once() as session:
            self.seen = payment.find(session, self._payment_id)
        return not self.seen.lacks_answer


def _answer(row: Payment, pause: int) -> Answer:
    with at_once() as session:
        shown = _shown(session, row, for_owner=True)
    if not row.lacks_answer:
        return shown, 200, {}
    location = url_for("payments.show", payment_id=row.id)
    return shown, 202, {"Location": location, "Retry-After": str(pause)}


def _shown(session: Session, row: Payment, *, for_owner: bool) -> dict[str, Any]:
    failure = payment.last_failure(session, row.id)
    return rendering.payment(
        row,
        publishable_key=registry.get(row.provider).publishable_key,
        failure=failure.message if failure else None,
        for_owner=for_owner,
    )
