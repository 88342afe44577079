"""Orders: placed and looked at."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from models import dispute, money, orders, payment, placing, refund, stock
from models.idempotency import IdempotencyKey
from models.orders import Order
from models.placing import NewLine, NewOrder
from models.session import transaction
from models.tokens import guest_hash
from providers import registry
from web import callers, piece_lock, refunds, rendering
from web.api import Blueprint
from web.callers import Caller
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, Once, once
from web.representations import ORDER
from web.schemas import ORDER_CREATE

_LARGEST_TOTAL_MINOR = 99_999_999  # eight digits, the most that Stripe takes

blueprint = Blueprint("orders", __name__, url_prefix="/orders", description="Place and follow.")


@blueprint.route("/create/", methods=["POST"])
@blueprint.arguments(ORDER_CREATE)
@blueprint.response(201, ORDER, headers=REPLAYED_HEADER)
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
    "amount_too_small",
    "amount_too_large",
    "unauthorized_origin",
    "busy",
)
def create(body: dict[str, Any]) -> tuple[dict[str, Any], int, Mapping[str, str]]:
    """Validate, price and store an order, and hold its stock.

    With an `Idempotency-Key` the same request can be repeated safely: it makes one order.
    """
    caller = callers.present()
    new = _new_order(body, caller)
    claim = once(_scope(caller, new))
    try:
        with piece_lock.lock().held(_pieces(new)), transaction() as session:
            order, replayed = _place(session, new, caller, claim)
            shown = _shown(session, order, caller, with_token=True)
            bind_contextvars(order_id=order.id)
    except piece_lock.BeingBoughtError as error:
        raise Problem(
            409, "being_bought", f"{error.sku} is being bought.", headers={"Retry-After": "1"}
        ) from None
    return shown, 201, REPLAYED if replayed else {}


@blueprint.route("/<int:order_id>/")
@blueprint.response(200, ORDER)
@blueprint.problems("not_found")
def show(order_id: int) -> dict[str, Any]:
    """The order with its lines, payments, refunds and timeline, for its owner and for staff."""
    caller = callers.present()
    with transaction() as session:
        order = orders.load(session, order_id)
        if order is None or not caller.may_see(order):
            raise Problem(404, "not_found")
        return _shown(session, order, caller)


def _shown(
    session: Session, order: Order, caller: Caller, *, with_token: bool = False
) -> dict[str, Any]:
    payments = payment.of_order(session, order.id)
    refunded = refund.of_order(session, order.id) if payments else ()
    return rendering.order(
        order,
        payments,
        orders.timeline(session, order.id),
        refunds=refunds.shown(session, refunded, for_staff=caller.is_staff),
        disputes=dispute.of_order(session, order.id) if caller.is_staff else (),
        for_staff=caller.is_staff,
        with_token=with_token,
    )


def _place(
    session: Session, new: NewOrder, caller: Caller, claim: Once
) -> tuple[Order, IdempotencyKey | None]:
    if (earlier := claim.earlier(session)) is not None and earlier.order_id is not None:
        return _loaded(session, earlier.order_id), earlier
    chargeable = _chargeable(new.currency)
    try:
        order_id = placing.place(session, new, chargeable=chargeable, who=caller.name).id
    except placing.UnknownSkuError as error:
        raise Problem(422, "unknown_sku", skus=error.skus) from None
    except placing.WrongCurrencyError as error:
        raise Problem(422, "wrong_currency", skus=error.skus) from None
    except placing.PriceChangedError as error:
        raise Problem(409, "price_changed", prices=_prices(error, new.currency)) from None
    except placing.TotalNotChargeableError as error:
        raise _not_chargeable(error.total_minor, chargeable, new.currency) from None
    except stock.OutOfStockError as error:
        raise Problem(409, "out_of_stock", available=_left(session, error.item_ids)) from None
    claim.remember(session, status=201, order_id=order_id)
    return _loaded(session, order_id), None


def _loaded(session: Session, order_id: int) -> Order:
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
    )


def _new_line(item: Mapping[str, Any], currency: str) -> NewLine:
    price: Decimal = item["unit_price"]
    return NewLine(
        sku=item["product_sku"],
        unit_price_minor=money.minor_from_decimal(price, currency),
        quantity=item["quantity"],
    )


def _chargeable(currency: str) -> range:
    least = min(registry.get(name).minimum_minor.get(currency, 1) for name in registry.NAMES)
    return range(least, _LARGEST_TOTAL_MINOR + 1)


def _not_chargeable(total_minor: int, chargeable: range, currency: str) -> Problem:
    if total_minor < chargeable.start:
        least = money.decimal_string(chargeable.start, currency)
        return Problem(422, "amount_too_small", minimum=least)
    most = money.decimal_string(_LARGEST_TOTAL_MINOR, currency)
    return Problem(422, "amount_too_large", maximum=most)


def _scope(caller: Caller, new: NewOrder) -> str:
    """Whose keys these are; a guest without a cookie is known by the address alone."""
    return f"user:{caller.user.id}" if caller.user else f"guest:{new.email}"


def _pieces(new: NewOrder) -> Sequence[str]:
    with transaction() as session:
        return stock.unique_among(session, [line.sku for line in new.lines])


def _prices(error: placing.PriceChangedError, currency: str) -> dict[str, str]:
    return {sku: money.decimal_string(minor, currency) for sku, minor in error.prices.items()}


def _left(session: Session, item_ids: Sequence[int]) -> dict[str, int]:
    return {item.sku: item.available for item in stock.get(session, item_ids)}
