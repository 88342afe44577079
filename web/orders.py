"""Orders: placed and looked at."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

from flask import Response, jsonify
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

import settings
from models import (
    dispute,
    for_sale,
    fulfilment,
    journal,
    looking,
    money,
    order_desk,
    orders,
    payment,
    placing,
    quick_placing,
    refund,
    stock,
)
from models.idempotency import Earlier
from models.order_desk import Filter
from models.orders import Order
from models.payment import Payment
from models.refund import Refund
from models.session import at_once, transaction
from models.storing import NewLine, NewOrder, Placed
from models.tokens import guest_hash
from web import callers, charging, limits, piece_lock, refunds, rendering
from web.api import Blueprint
from web.callers import Caller
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, Once, once
from web.order_representations import ORDER_LIST, OrderQuery
from web.paging import page
from web.patience import PAUSE_HEADER, WATCH, watched
from web.representations import ORDER
from web.schemas import ORDER_CREATE

blueprint = Blueprint("orders", __name__, url_prefix="/orders", description="Place and follow.")


@blueprint.route("/create/", methods=["POST"])
@blueprint.allows("buyer", "orders:write")
@blueprint.limited(lambda chosen: chosen.limit_orders_per_minute)
@blueprint.arguments(ORDER_CREATE)
@blueprint.response(201, ORDER, is_rendered=True, headers=REPLAYED_HEADER)
@blueprint.headers(KEY_HEADER)
@blueprint.problems(
    "items_empty",
    "too_many_items",
    "invalid_quantity",
    "invalid_price",
    "invalid_email",
    "unknown_currency",
    "unknown_country",
    "guest_email_required",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "request_in_progress",
    "unknown_sku",
    "wrong_currency",
    "price_changed",
    "out_of_stock",
    "being_bought",
    *charging.PROBLEMS,
    "too_many_open_orders",
    "unauthorized_origin",
)
def create(body: dict[str, Any]) -> tuple[Response, int, Mapping[str, str]]:
    """Validate, price and store an order, and hold its stock.

    With an `Idempotency-Key` the same request can be repeated safely: it makes one order.
    """
    caller = callers.present()
    new = _new_order(body, caller)
    claim = once(_scope(caller, new))
    order, earlier = _place_at_once(new, caller, claim), None
    if order is not None:
        answer = _shown_new(order, caller)
    else:
        answer, earlier = _place_or_repeat(new, caller, claim)
    bind_contextvars(order_id=answer["id"])
    # The hottest answer: rendered already, it is not dumped by its schema once more.
    return jsonify(answer), 201, REPLAYED if earlier else {}


@blueprint.route("/<int:order_id>/")
@blueprint.allows("owner", "orders:read")
@blueprint.arguments(WATCH, location="query")
@blueprint.response(200, ORDER, headers=PAUSE_HEADER)
@blueprint.problems("not_found")
def show(query: dict[str, Any], order_id: int) -> tuple[dict[str, Any], int, Mapping[str, str]]:
    """The order with its lines, payments, refunds and timeline, for its owner and for staff."""
    caller = callers.present()
    return watched(
        query,
        f"order:{order_id}",
        lambda: _seen_by(caller, order_id),
        lambda: _status_of(order_id),
    )


@blueprint.route("/")
@blueprint.allows("account", "orders:read")
@blueprint.arguments(OrderQuery(), location="query")
@blueprint.response(200, ORDER_LIST)
@blueprint.problems("not_found")
def find(query: dict[str, Any]) -> dict[str, Any]:
    """Orders, newest first: staff see all of them, a customer their own."""
    caller = callers.present()
    if caller.user is None:
        raise Problem(404, "not_found")
    limit, after = query.pop("limit"), query.pop("starting_after")
    wanted = Filter(user_id=None if caller.is_staff else caller.user.id, **query)
    with transaction() as session:
        found = order_desk.find(session, wanted, limit=limit + 1, after=after)
    return page([rendering.order_summary(order) for order in found], limit)


def _status_of(order_id: int) -> str:
    with transaction() as session:
        return session.get_one(Order, order_id).status


def _seen_by(caller: Caller, order_id: int) -> dict[str, Any]:
    with transaction() as session:
        if not caller.may_see(session.get(Order, order_id)):
            raise Problem(404, "not_found")
        return shown(session, load(session, order_id), caller)


def shown(
    session: Session, order: Order, caller: Caller, *, with_token: bool = False
) -> dict[str, Any]:
    """The whole order as this caller may see it."""
    payments = payment.of_order(session, order.id)
    refunded = refund.of_order(session, order.id) if payments else ()
    silent: Sequence[Payment | Refund] = (*payments, *refunded)
    for row in silent:
        looking.hasten(session, row)
    return rendering.order(
        order,
        payments,
        journal.timeline(session, order.id),
        refunds=refunds.shown(session, refunded, for_staff=caller.is_staff),
        disputes=dispute.of_order(session, order.id) if caller.is_staff else (),
        shipment=fulfilment.shipment_of(session, order.id) if payments else None,
        for_staff=caller.is_staff,
        with_token=with_token,
    )


def _place_at_once(new: NewOrder, caller: Caller, claim: Once) -> Placed | None:
    """Place the order if nothing stands against it; None if that has to be looked into."""
    if new.total_minor not in charging.chargeable(new.currency):
        return None
    kept, most_open = claim.kept(201), settings.current().max_open_orders
    with at_once() as session:
        return quick_placing.place(session, new, who=caller.name, once=kept, most_open=most_open)


def _place_or_repeat(
    new: NewOrder, caller: Caller, claim: Once
) -> tuple[dict[str, Any], Earlier | None]:
    """The order that the key has placed already and what is known of that, or a new one."""
    with ExitStack() as locks, transaction() as session:
        if (earlier := claim.earlier(session)) is not None and earlier.order_id is not None:
            answer = shown(session, load(session, earlier.order_id), caller, with_token=True)
            return answer, earlier
        with _refusals(session, new.currency):
            order = _place(session, new, caller, claim, locks)
    return _shown_new(order, caller), None


def _shown_new(order: Placed, caller: Caller) -> dict[str, Any]:
    return rendering.order(
        order, timeline=order.timeline, for_staff=caller.is_staff, with_token=True
    )


def _place(
    session: Session, new: NewOrder, caller: Caller, claim: Once, locks: ExitStack
) -> Placed:
    """Place the order; the locks of its pieces are held until the transaction has ended."""
    seen = placing.glance(session, new)
    pieces = [item.sku for item in seen.items.values() if item.is_unique and item.available]
    locks.enter_context(piece_lock.lock().held(pieces))
    chargeable = charging.chargeable(new.currency)
    placing.check(new, seen.items, chargeable=chargeable)
    # Nobody is to hold half the shop; of two requests at once both may pass.
    if 0 < settings.current().max_open_orders <= seen.unpaid:
        raise Problem(429, "too_many_open_orders", headers={"Retry-After": "60"})
    return placing.place(session, new, once=claim.kept(201), chargeable=chargeable, who=caller.name)


@contextmanager
def _refusals(session: Session, currency: str) -> Iterator[None]:
    """Say why an order cannot be placed."""
    try:
        yield
    except piece_lock.BeingBoughtError as error:
        raise Problem(
            409, "being_bought", f"{error.sku} is being bought.", headers={"Retry-After": "1"}
        ) from None
    except placing.UnknownSkuError as error:
        raise Problem(422, "unknown_sku", skus=error.skus) from None
    except placing.WrongCurrencyError as error:
        raise Problem(422, "wrong_currency", skus=error.skus) from None
    except placing.PriceChangedError as error:
        raise Problem(409, "price_changed", prices=_prices(error, currency)) from None
    except placing.TotalNotChargeableError as error:
        raise charging.chargeable(currency).refusal(error.total_minor) from None
    except stock.OutOfStockError as error:
        left = for_sale.left(session, error.item_ids)
        raise Problem(409, "out_of_stock", available=left) from None


def load(session: Session, order_id: int) -> Order:
    """The order, which must be there, with its lines and addresses."""
    order = orders.load(session, order_id)
    if order is None:
        raise LookupError(f"order {order_id}")
    return order


def _new_order(body: Mapping[str, Any], caller: Caller) -> NewOrder:
    email = body["guest_email"] or (caller.user.email if caller.user else None)
    if email is None:
        raise Problem(400, "guest_email_required")
    currency = body["currency"]
    kinds = {"shipping": body["shipping_address"], "billing": body["billing_address"]}
    return NewOrder(
        email=email,
        currency=currency,
        lines=[_new_line(item, currency) for item in body["items"]],
        addresses={kind: address for kind, address in kinds.items() if address is not None},
        user_id=caller.user.id if caller.user else None,
        guest_hash=None if caller.user else guest_hash(callers.guest_id()),
        client_hash=limits.client_hash(),
    )


def _new_line(item: Mapping[str, Any], currency: str) -> NewLine:
    price: Decimal = item["unit_price"]
    return NewLine(
        sku=item["product_sku"],
        unit_price_minor=money.minor_from_decimal(price, currency),
        quantity=item["quantity"],
    )


def _scope(caller: Caller, new: NewOrder) -> str:
    """Whose keys these are; a guest without a cookie is known by the address alone."""
    return f"user:{caller.user.id}" if caller.user else f"guest:{new.email}"


def _prices(error: placing.PriceChangedError, currency: str) -> dict[str, str]:
    return {sku: money.decimal_string(minor, currency) for sku, minor in error.prices.items()}
