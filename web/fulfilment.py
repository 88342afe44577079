"""What becomes of an order: called off by its owner; shipped and delivered by staff."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from models import closing, for_sale, fulfilment, order_desk, shortage
from models.orders import Order
from models.session import transaction
from models.stock import OutOfStockError
from web import admission, callers, waiting
from web.api import Blueprint
from web.callers import Caller
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, Once, once
from web.orders import load, shown
from web.patience import ASK_AGAIN_HEADERS, PREFER_HEADER, preferred
from web.refusals import refusals
from web.representations import ORDER
from web.schemas import CANCEL, EMPTY, SHIP, WHY

Answer = tuple[dict[str, Any], int, Mapping[str, str]]

blueprint = Blueprint(
    "fulfilment", __name__, url_prefix="/orders", description="Cancel, ship, deliver."
)


@blueprint.route("/cancel/<int:order_id>/", methods=["POST"])
@blueprint.allows("owner", "orders:write")
@blueprint.arguments(CANCEL)
@blueprint.response(200, ORDER, headers=REPLAYED_HEADER)
@blueprint.alt_response(202, schema=ORDER, headers={**ASK_AGAIN_HEADERS, **REPLAYED_HEADER})
@blueprint.headers(KEY_HEADER, PREFER_HEADER)
@blueprint.problems(
    "not_found",
    "already_paid",
    "order_closed",
    "role_too_low",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "request_in_progress",
    "unauthorized_origin",
)
def cancel(body: dict[str, Any], order_id: int) -> Answer:
    """Call the order off, if it is not paid.

    200 if it ended at once. 202 if a payment was started: it is closed at the provider first, and
    if the money was faster, the order ends paid. Ask `Location` again.
    """
    caller = callers.present()
    _check_may_cancel(order_id, caller)
    claim = once(f"order:{order_id}:{caller.name}")
    with transaction() as session:
        replayed = _cancel(session, order_id, caller, claim, body["reason"])
    preference, seconds = preferred(0)  # a worker asks the provider: nobody waits unasked
    pause = waiting.room.wait(f"order:{order_id}", seconds, lambda: not _is_pending(order_id))
    with transaction() as session:
        order = load(session, order_id)
        seen = shown(session, order, caller)
    headers = {**preference, **(REPLAYED if replayed else {})}
    if order.state != "pending":
        return seen, 200, headers
    location = url_for("orders.show", order_id=order_id)
    return seen, 202, {**headers, "Location": location, "Retry-After": str(pause)}


@blueprint.route("/ship/<int:order_id>/", methods=["POST"])
@blueprint.allows("clerk", "orders:write")
@blueprint.arguments(SHIP)
@blueprint.response(200, ORDER)
@blueprint.problems(
    "not_found",
    "role_too_low",
    "not_paid",
    "already_delivered",
    "already_refunded",
    "order_disputed",
    "order_stock_shortage",
    "order_needs_review",
    "unauthorized_origin",
)
def ship(body: dict[str, Any], order_id: int) -> dict[str, Any]:
    """Say that the goods have left; the customer is told once.

    Said again it corrects the carrier and the tracking number.
    """
    return _act(lambda session, who: fulfilment.ship(session, order_id, **body, who=who))


@blueprint.route("/deliver/<int:order_id>/", methods=["POST"])
@blueprint.allows("clerk", "orders:write")
@blueprint.arguments(EMPTY)
@blueprint.response(200, ORDER)
@blueprint.problems("not_found", "role_too_low", "not_shipped", "unauthorized_origin")
def deliver(_body: dict[str, Any], order_id: int) -> dict[str, Any]:
    """Say that the goods have arrived."""
    return _act(lambda session, who: fulfilment.deliver(session, order_id, who=who))


@blueprint.route("/release-review/<int:order_id>/", methods=["POST"])
@blueprint.allows("clerk", "orders:write")
@blueprint.arguments(WHY)
@blueprint.response(200, ORDER)
@blueprint.problems("not_found", "role_too_low", "unauthorized_origin")
def release_review(body: dict[str, Any], order_id: int) -> dict[str, Any]:
    """Say that a person has looked at the order and it may go on."""
    return _act(
        lambda session, who: order_desk.clear_review(session, order_id, who=who, why=body["why"])
    )


@blueprint.route("/clear-shortage/<int:order_id>/", methods=["POST"])
@blueprint.allows("clerk", "orders:write")
@blueprint.arguments(WHY)
@blueprint.response(200, ORDER)
@blueprint.problems("not_found", "out_of_stock", "unauthorized_origin")
def clear_shortage(body: dict[str, Any], order_id: int) -> dict[str, Any]:
    """Take the goods of a paid order that were missing from stock, now that they are there."""
    return _act(lambda session, who: clear_missing(session, order_id, who=who, why=body["why"]))


def clear_missing(session: Session, order_id: int, *, who: str, why: str) -> Order:
    """Take what was missing from stock, or raise the problem that says what is left."""
    try:
        return shortage.clear(session, order_id, who=who, why=why)
    except OutOfStockError as error:
        left = for_sale.left(session, error.item_ids)
        raise Problem(409, "out_of_stock", available=left) from None


def _act(act: Callable[[Session, str], Order]) -> dict[str, Any]:
    caller = callers.present()
    with refusals(), transaction() as session:
        order_id = act(session, caller.name).id
        session.flush()
        return shown(session, load(session, order_id), caller)


def _check_may_cancel(order_id: int, caller: Caller) -> None:
    with transaction() as session:
        order = session.get(Order, order_id)
    if order is None or not caller.may_see(order):
        raise Problem(404, "not_found")
    if not caller.owns(order):
        admission.require("clerk")


def _cancel(
    session: Session, order_id: int, caller: Caller, claim: Once, reason: str | None
) -> bool:
    if claim.earlier(session) is not None:
        return True
    call_off(session, order_id, who=caller.name, reason=reason)
    claim.remember(session, status=200, order_id=order_id)
    return False


def call_off(session: Session, order_id: int, *, who: str, reason: str | None) -> Order:
    """Begin to cancel the order, or raise the problem that says how it ended before."""
    order = closing.cancel(session, order_id, who=who, why=reason or "it is not wanted any more")
    if order.state == "paid":
        raise Problem(409, "already_paid")
    if order.state == "expired":
        raise Problem(409, "order_closed", f"The order is {order.state}.")
    return order


def _is_pending(order_id: int) -> bool:
    with transaction() as session:
        return session.get_one(Order, order_id).state == "pending"
