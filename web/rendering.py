"""Rows as the API shows them."""

from collections.abc import Sequence
from typing import Any

from models.journal import JournalEntry
from models.money import decimal_string
from models.orders import Address, Order, OrderItem
from models.payment import Payment
from models.stock import StockItem
from models.tokens import order_token

_ADDRESS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


def order(
    row: Order,
    payments: Sequence[Payment] = (),
    timeline: Sequence[JournalEntry] = (),
    *,
    with_token: bool = False,
) -> dict[str, Any]:
    addresses = {address.kind: _address(address) for address in row.addresses}
    return {
        "id": row.id,
        "order_number": row.order_number,
        **({"token": order_token(row.id, row.token_version)} if with_token else {}),
        "status": row.status,
        "state": row.state,
        "fulfilment": row.fulfilment,
        "closing": row.closing,
        "stock_shortage": row.stock_shortage,
        "needs_review": row.needs_review,
        "disputed": row.disputed,
        "currency": row.currency,
        "total": decimal_string(row.total_minor, row.currency),
        "guest_email": row.email,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "paid_at": row.paid_at,
        "items": [_line(line, row.currency) for line in row.lines],
        "shipping_address": addresses["shipping"],
        "billing_address": addresses.get("billing"),
        "payments": [_payment_of_order(payment) for payment in payments],
        "refunds": [],
        "timeline": [_entry(entry) for entry in timeline],
    }


def payment(
    row: Payment, *, publishable_key: str | None, failure: str | None, for_owner: bool
) -> dict[str, Any]:
    """A payment; what lets a browser pay it is shown to its owner alone."""
    shown = {**_payment_of_order(row), "failure": failure}
    if for_owner:
        shown["client_secret"] = row.secret_for_owner
        shown["publishable_key"] = publishable_key
    return shown


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


def _address(row: Address) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _ADDRESS}


def _line(row: OrderItem, currency: str) -> dict[str, Any]:
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
        "status": row.state,
        "amount": decimal_string(row.amount_minor, row.currency),
        "currency": row.currency,
        "created_at": row.created_at,
    }


def _entry(row: JournalEntry) -> dict[str, Any]:
    return {
        "at": row.at,
        "what": row.what,
        "from": row.from_state,
        "to": row.to_state,
        "who": row.who,
        "why": row.why,
    }
