"""Refunds: asked for by staff, made at the provider by a worker, followed by the order's owner."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from models import looking, money, orders, refund, refund_desk, stock
from models.payment import Payment
from models.refund import Refund
from models.session import transaction
from web import callers, charging, parsing, rendering
from web.api import Blueprint
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, Once, once
from web.refund_representations import REFUND, REFUND_IN
from web.refusals import refusals

_LOCATION = {
    "Location": {
        "description": "Where to follow it.",
        "schema": {"type": "string", "examples": ["/orders/refunds/3/"]},
    }
}

Answer = tuple[dict[str, Any], int, Mapping[str, str]]

blueprint = Blueprint("refunds", __name__, url_prefix="/orders", description="Give money back.")


@blueprint.route("/refund/<int:payment_id>/", methods=["POST"])
@blueprint.allows("clerk", "refunds:write")
@blueprint.arguments(REFUND_IN)
@blueprint.response(202, REFUND, headers={**_LOCATION, **REPLAYED_HEADER})
@blueprint.alt_response(200, schema=REFUND, headers={**_LOCATION, **REPLAYED_HEADER})
@blueprint.headers(KEY_HEADER)
@blueprint.problems(
    "invalid_price",
    "invalid_quantity",
    "items_empty",
    "too_many_items",
    "idempotency_key_required",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "request_in_progress",
    "not_found",
    "role_too_low",
    "unauthorized_origin",
    "not_refundable",
    "refund_blocked",
    "refund_too_large",
    "amount_too_fine",
    "restock_impossible",
)
def create(body: dict[str, Any], payment_id: int) -> Answer:
    """Give back a part of the payment, or all that is left of it.

    202: a worker asks the provider; `Location` says what becomes of it. 200 if it is over
    already. Without `amount`, asking again is answered with the refund that is under way.
    """
    name = callers.present().name
    refund_id, is_replayed = ask(payment_id, body, once(name), who=name)
    with transaction() as session:
        row = session.get_one(Refund, refund_id)
        (representation,) = shown(session, [row], for_staff=True)
    location = {"Location": url_for("refunds.show", refund_id=refund_id)}
    status = 202 if row.state in refund.LIVE else 200
    return representation, status, {**location, **(REPLAYED if is_replayed else {})}


@blueprint.route("/refunds/<int:refund_id>/")
@blueprint.allows("owner", "orders:read")
@blueprint.response(200, REFUND)
@blueprint.problems("not_found")
def show(refund_id: int) -> dict[str, Any]:
    """Where the refund stands, for the order's owner and, with all there is to know, for staff."""
    caller = callers.present()
    with transaction() as session:
        row, order = orders.with_order(session, Refund, refund_id)
        if not caller.may_see(order):
            raise Problem(404, "not_found")
        looking.hasten(session, row)
        return shown(session, [row], for_staff=caller.is_staff)[0]


def ask(
    payment_id: int,
    body: Mapping[str, Any],
    claim: Once,
    *,
    who: str,
    seen_minor: int | None = None,
) -> tuple[int, bool]:
    """Have the refund made that `body` describes; its id, and whether the key had done it before.

    With `seen_minor` it is made only if just so much is left of the payment.

    Whatever raises a `Problem` has changed nothing.
    """
    paid = _payment(payment_id)
    amount_minor = _minor(body["amount"], paid)
    if amount_minor is not None and claim.key is None:
        raise Problem(400, "idempotency_key_required")
    try:
        with refusals(), transaction() as session:
            earlier = claim.earlier(session)
            if earlier is not None and earlier.refund_id is not None:
                return earlier.refund_id, True
            row = _request(session, payment_id, amount_minor, body, who=who, seen_minor=seen_minor)
            claim.remember(session, status=202, refund_id=row.id, payment_id=payment_id)
    except refund.TooMuchError as error:
        raise _too_large(error.left_minor, paid.currency) from None
    return row.id, False


def _request(
    session: Session,
    payment_id: int,
    amount_minor: int | None,
    body: Mapping[str, Any],
    *,
    who: str,
    seen_minor: int | None,
) -> Refund:
    return refund_desk.request(
        session,
        payment_id,
        amount_minor=amount_minor,
        reason=body["reason"],
        restock=body["restock"],
        who=who,
        why=body["note"] or "asked by staff",
        seen_minor=seen_minor,
    )


def _payment(payment_id: int) -> Payment:
    with transaction() as session:
        row = session.get(Payment, payment_id)
    if row is None:
        raise Problem(404, "not_found")
    return row


def _minor(amount: Decimal | None, paid: Payment) -> int | None:
    if amount is None:
        return None
    currency = paid.currency
    try:
        minor = money.minor_from_decimal(amount, currency)
    except ValueError:
        places = money.exponent(currency)
        fault = f"invalid_price: Has more than the {places} decimals of {currency}."
        raise parsing.invalid({"amount": [fault]}) from None
    charging.check_step(minor, currency, paid.provider)
    return minor


def _too_large(left_minor: int, currency: str) -> Problem:
    if not left_minor:
        return Problem(409, "not_refundable", "All of it is given back, or about to be.")
    left = money.decimal_string(left_minor, currency)
    detail = f"{left} {currency} are left of the payment."
    return Problem(409, "refund_too_large", detail, refundable=left, currency=currency)


def shown(session: Session, rows: Sequence[Refund], *, for_staff: bool) -> list[dict[str, Any]]:
    """The refunds as the API shows them."""
    item_ids = {int(item_id) for row in rows for item_id in row.restock or {}}
    items = stock.get(session, sorted(item_ids)) if for_staff and item_ids else ()
    skus = {str(item.id): item.sku for item in items}
    return [rendering.refund(row, skus, for_staff=for_staff) for row in rows]
