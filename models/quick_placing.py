"""Placing an order in one round trip, if nothing stands against it.

The function `place_order` of the database does for a plain order what `placing` does for any: the
key is claimed, what is wanted is judged at a glance and once more under the locks, and all of it is
stored, in a transaction of its own. Whatever is not plain, it leaves to `placing`: it stores
nothing then and does not say why (docs/adr/0029).
"""

from sqlalchemy.orm import Session

import settings
from models import storing
from models.function import Function, as_bytea
from models.idempotency import Kept
from models.storing import NewOrder, Placed, PlacedAddress, PlacedLine, Stored
from models.tokens import new_order_number

_ADDRESS = ", ".join(PlacedAddress._fields)
# The lines of which enough is left, at the buyer's price, in the order's currency; of these goods
# any unit will do. Each line is of another SKU.
_FITTING = """
SELECT item.id AS item_id, title, item.sku, item.status, price, quantity, position
FROM stock_item AS item JOIN ROWS FROM (
    json_to_recordset(new.lines) AS (sku text, price bigint, quantity bigint)
) WITH ORDINALITY AS line (sku, price, quantity, position) ON item.sku = line.sku
WHERE item.sku = ANY (new.skus) AND item.status = 'available' AND NOT is_unique
  AND item.currency = new.currency AND unit_price_minor = price AND stock - held >= quantity"""
# Only names of columns and the above are interpolated, never a value (S608).
PLACE = Function(
    "place_order",
    "placed_id bigint, placed_at timestamptz, placed_until timestamptz, placed_lines json",
    f"""
DECLARE
    new record;
BEGIN
    SELECT * INTO new FROM json_to_record(given) AS (
        caller text, endpoint text, key text, lock bigint, fingerprint text, status bigint,
        order_number text, user_id bigint, email text, guest_hash bytea, client_hash bytea,
        currency text, total_minor bigint, who text, time_to_pay interval, most_open bigint,
        skus text[], lines json, addresses json);

    IF new.key IS NOT NULL THEN
        IF NOT pg_try_advisory_xact_lock(new.lock) THEN
            RETURN;
        END IF;
        PERFORM FROM idempotency_key AS earlier
        WHERE earlier.caller = new.caller AND earlier.endpoint = new.endpoint
          AND earlier.key = new.key;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    IF new.most_open > 0 AND new.most_open <= (
        SELECT count(*) FROM orders
        WHERE client_hash = new.client_hash AND state = 'pending' AND expires_at > moment
    ) OR cardinality(new.skus) > (SELECT count(*) FROM ({_FITTING}) AS fitting) THEN
        RETURN;
    END IF;
    PERFORM FROM stock_item WHERE sku = ANY (new.skus) ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH fitting AS MATERIALIZED ({_FITTING}
    ), placed AS (
        INSERT INTO orders (
            order_number, user_id, email, guest_hash, client_hash, token_version, currency,
            total_minor, state, fulfilment, stock_shortage, needs_review, disputed, is_extended,
            expires_at, created_at)
        SELECT new.order_number, new.user_id, new.email, new.guest_hash, new.client_hash, 1,
            new.currency, new.total_minor, 'pending', 'none', false, false, false, false,
            moment + new.time_to_pay, moment
        WHERE cardinality(new.skus) = (SELECT count(*) FROM fitting)
        RETURNING id, expires_at
    ), lined AS (
        INSERT INTO order_item (order_id, item_id, product_title, product_sku, product_status,
            unit_price_minor, quantity)
        SELECT placed.id, item_id, title, sku, status, price, quantity FROM placed, fitting
        ORDER BY position
    ), addressed AS (
        INSERT INTO address (order_id, {_ADDRESS})
        SELECT placed.id, {_ADDRESS}
        FROM placed, json_populate_recordset(NULL::address, new.addresses) AS sent
    ), noted AS (
        INSERT INTO journal (order_id, subject, subject_id, what, to_state, who, why, at)
        SELECT id, 'orders', id, 'order.placed', 'pending', new.who, 'placed', moment FROM placed
    ), kept AS (
        INSERT INTO idempotency_key (caller, endpoint, key, fingerprint, status, order_id,
            created_at)
        SELECT new.caller, new.endpoint, new.key, new.fingerprint, new.status, id, moment
        FROM placed WHERE new.key IS NOT NULL
    ), held AS (
        UPDATE stock_item SET held = held + quantity FROM placed, fitting
        WHERE stock_item.id = item_id
    ), reserved AS (
        INSERT INTO reservation (order_id, item_id, quantity, state)
        SELECT placed.id, item_id, quantity, 'active' FROM placed, fitting
    ), moved AS (
        INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
        SELECT item_id, placed.id, 0, quantity, 'held', new.who, moment FROM placed, fitting
    )
    SELECT id, moment, expires_at, (
        SELECT json_agg(json_build_array(item_id, title, status) ORDER BY position) FROM fitting)
    FROM placed;
END
""",  # noqa: S608
)


def place(
    session: Session, new: NewOrder, *, who: str, once: Kept, most_open: int
) -> Placed | None:
    """The order, stored whole with its stock held and its key kept, or None and nothing stored.

    The session must be one `at_once`. None is no refusal: it says that `placing` must decide.
    `most_open` is how many unpaid orders the client may have less one; 0: any number.
    """
    if len({line.sku for line in new.lines}) < len(new.lines):
        return None
    number, addresses = new_order_number(), new.written_addresses
    given = {
        **once._asdict(),
        "lock": once.lock,
        "order_number": number,
        "user_id": new.user_id,
        "email": new.email,
        "guest_hash": as_bytea(new.guest_hash),
        "client_hash": as_bytea(new.client_hash),
        "currency": new.currency,
        "total_minor": new.total_minor,
        "who": who,
        "time_to_pay": f"{settings.current().reservation_ttl_seconds} s",
        "most_open": most_open,
        "skus": [line.sku for line in new.lines],
        "lines": [
            {"sku": line.sku, "price": line.unit_price_minor, "quantity": line.quantity}
            for line in new.lines
        ],
        "addresses": [address._asdict() for address in addresses],
    }
    row = PLACE.call(session, given)
    if row is None:
        return None
    order_id, created_at, expires_at, found = row
    lines = [
        PlacedLine(item_id, title, line.sku, status, line.unit_price_minor, line.quantity)
        for line, (item_id, title, status) in zip(new.lines, found, strict=True)
    ]
    stored = Stored(order_id, number, created_at, expires_at)
    return storing.placed(new, lines, addresses, who, stored)
