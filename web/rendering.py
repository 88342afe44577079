"""Rows as the API shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.dispute import Dispute
from models.fulfilment import Shipment
from models.journal import JournalEntry
from models.money import decimal_string
from models.orders import Address, Order, OrderItem
from models.payment import Payment
from models.refund import Refund
from models.stock import StockItem
from models.storing import Placed, PlacedAddress, PlacedEntry, PlacedLine
from models.tokens import order_token

_SHIPMENT = ("carrier", "tracking_number", "tracking_url", "shipped_at", "delivered_at")
_ADDRESS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


def order(
    row: Order | Placed,
    payments: Sequence[Payment] = (),
    timeline: Sequence[JournalEntry | PlacedEntry] = (),
    *,
    refunds: Sequence[Mapping[str, Any]] = (),
    disputes: Sequence[Dispute] = (),
    shipment: Shipment | None = None,
    for_staff: bool = False,
    with_token: bool = False,
) -> dict[str, Any]:
    """An order; of its refunds, what `refund` has made of them."""
    return {
        **order_summary(row),
        **({"token": order_token(row.id, row.token_version)} if with_token else {}),
        "shipment": None if shipment is None else _shipment(shipment),
        "payments": [_payment_of_order(payment) for payment in payments],
        "refunds": refunds,
        **({"disputes": [dispute(each) for each in disputes]} if for_staff else {}),
        "timeline": [_entry(entry) for entry in timeline] if for_staff else _told(timeline),
    }


def order_summary(row: Order | Placed) -> dict[str, Any]:
    """An order without what happened to it."""
    addresses = {address.kind: _address(address) for address in row.addresses}
    return {
        "id": row.id,
        "order_number": row.order_number,
        "status": row.status,
        "state": row.state,
        "fulfilment": row.fulfilment,
        "closing": row.closing,
        "stock_shortage": row.stock_shortage,
        "needs_review": row.needs_review,
        "disputed": row.disputed,
        "currency": row.currency,
        "total": decimal_string(row.total_minor, row.currency),
        "refunded": decimal_string(row.refunded_minor, row.currency),
        "guest_email": row.email,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "paid_at": row.paid_at,
        "items": [_line(line, row.currency) for line in row.lines],
        "shipping_address": addresses["shipping"],
        "billing_address": addresses.get("billing"),
    }


def payment(
    row: Payment, *, publishable_key: str | None, failure: str | None, for_owner: bool
) -> dict[str, Any]:
    """A payment; what lets a browser pay it is shown to its owner alone."""
    shown = {**_payment_of_order(row), "failure": failure}
    if not for_owner:
        shown["capture_before"] = row.capture_before
    else:
        shown["client_secret"] = row.secret_for_owner
        shown["redirect_url"] = row.redirect_for_owner
        shown["publishable_key"] = publishable_key
    return shown


def refund(row: Refund, skus: Mapping[str, str], *, for_staff: bool) -> dict[str, Any]:
    """A refund; `skus` by item id, as `Refund.restock` has them."""
    shown = {
        "refund_id": row.id,
        "payment_id": row.payment_id,
        "status": row.state,
        "amount": decimal_string(row.amount_minor, row.currency),
        "currency": row.currency,
        "created_at": row.created_at,
    }
    return shown | _internals_of(row, skus) if for_staff else shown


def _internals_of(row: Refund, skus: Mapping[str, str]) -> dict[str, Any]:
    restock = row.restock or {}
    return {
        "order_id": row.order_id,
        "origin": row.origin,
        "reason": row.reason,
        "restock": [
            {"product_sku": skus[item_id], "quantity": units} for item_id, units in restock.items()
        ],
        "requested_by": row.requested_by,
        "provider": row.provider,
        "provider_refund_id": row.provider_refund_id,
        "failure": row.failure,
        "ended_at": row.ended_at,
    }


def dispute(row: Dispute) -> dict[str, Any]:
    return {
        "id": row.id,
        "order_id": row.order_id,
        "payment_id": row.payment_id,
        "provider": row.provider,
        "provider_dispute_id": row.provider_dispute_id,
        "state": row.state,
        "status": row.status,
        "reason": row.reason,
        "amount": decimal_string(row.amount_minor, row.currency),
        "currency": row.currency,
        "is_refundable": row.is_refundable,
        "due_by": row.due_by,
        "opened_at": row.opened_at,
        "ended_at": row.ended_at,
    }


def catalog_item(row: StockItem) -> dict[str, Any]:
    return {
        "sku": row.sku,
        "title": row.title,
        "unit_price": decimal_string(row.unit_price_minor, row.currency),
        "currency": row.currency,
        "available": row.available,
        "is_unique": row.is_unique,
        "status": row.status,
    }


def catalog_stock(row: StockItem) -> dict[str, Any]:
    """An item as staff see it: with how many there are and how many are held."""
    return {**catalog_item(row), "stock": row.stock, "held": row.held}


def _shipment(row: Shipment) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHIPMENT}


def _address(row: Address | PlacedAddress) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _ADDRESS}


def _line(row: OrderItem | PlacedLine, currency: str) -> dict[str, Any]:
    return {
        "product_title": row.product_title,
        "product_sku": row.product_sku,
        "unit_price": decimal_string(row.unit_price_minor, currency),
        "quantity": row.quantity,
        "line_total": decimal_string(row.unit_price_minor * row.quantity, currency),
        "product_status": row.product_status,
    }


def _payment_of_order(row: Payment) -> dict[str, Any]:
    return {
        "payment_id": row.id,
        "provider": row.provider,
        "payment_method": row.method,
        "status": row.state,
        "amount": decimal_string(row.amount_minor, row.currency),
        "refunded": decimal_string(row.refunded_minor, row.currency),
        "currency": row.currency,
        "created_at": row.created_at,
    }


def _told(timeline: Sequence[JournalEntry | PlacedEntry]) -> list[dict[str, Any]]:
    """What an owner is told: neither of disputes, nor who of staff did what for which reason."""
    return [_entry(entry) | _unsaid(entry) for entry in timeline if entry.subject != "dispute"]


def _unsaid(entry: JournalEntry | PlacedEntry) -> dict[str, Any]:
    is_staff = entry.who.partition(":")[0] in ("staff", "cli")
    silence = {"why": None} if is_staff or entry.subject == "refund" else {}
    return {**silence, **({"who": "staff"} if is_staff else {})}


def _entry(row: JournalEntry | PlacedEntry) -> dict[str, Any]:
    return {
        "at": row.at,
        "what": row.what,
        "from": row.from_state,
        "to": row.to_state,
        "who": row.who,
        "why": row.why,
    }
