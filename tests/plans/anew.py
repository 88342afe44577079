"""What the database's functions have done, made ready to be done once more."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from models.function import NAMES
from models.quick_booking import BOOK
from models.quick_placing import PLACE

Database = psycopg.Connection[tuple[Any, ...]]
Given = Mapping[str, Any]

_UNBOOKED = """
UPDATE job SET state = 'leased', lease_token = %(token)s::uuid, lease_until = clock_timestamp()
WHERE id = %(job_id)s;
UPDATE payment SET state = 'open', settles = false
WHERE provider = %(provider)s AND provider_payment_id = %(provider_payment_id)s;
UPDATE orders SET state = 'pending' WHERE id = (
    SELECT order_id FROM payment WHERE provider_payment_id = %(provider_payment_id)s);
UPDATE webhook_event SET state = 'received' WHERE id = %(event_row_id)s;
WITH held AS (
    UPDATE reservation SET state = 'active' WHERE order_id = (
        SELECT order_id FROM payment WHERE provider_payment_id = %(provider_payment_id)s)
    RETURNING item_id, quantity
)
UPDATE stock_item SET stock = stock + quantity, held = held + quantity FROM held WHERE id = item_id
"""


def function_called(sql: str) -> str | None:
    """The function of ours that a statement calls, if it does."""
    return next((name for name in NAMES if f"{name}(" in sql), None)


def prepare(database: Database, name: str, given: Given) -> Given:
    """What to give it so that it does the same again, in a transaction that is rolled back."""
    return _READY[name](database, given)


def _ordered(_database: Database, given: Given) -> Given:
    number = secrets.token_hex(8)
    return {**given, "key": number, "order_number": number, "most_open": 10**6}


def _paid(database: Database, given: Given) -> Given:
    for statement in _UNBOOKED.split(";"):
        database.execute(statement.encode(), given)
    return {**given, "attempt": given["attempt"] + 1}


_READY: Mapping[str, Callable[[Database, Given], Given]] = {
    PLACE.name: _ordered,
    BOOK.name: _paid,
}
