"""place in one round trip

A function, as it was first; who calls it is in models/quick_placing.py.

Revision ID: 0023
Revises: 0022
Create Date: 2026-11-23 14:12:07.118420

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION place_order(given json, moment timestamptz, true_moment timestamptz)
RETURNS TABLE (placed_id bigint, placed_at timestamptz, placed_until timestamptz, placed_lines json)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $function$
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
    ) OR cardinality(new.skus) > (SELECT count(*) FROM (
SELECT item.id AS item_id, title, item.sku, item.status, price, quantity, position
FROM stock_item AS item JOIN ROWS FROM (
    json_to_recordset(new.lines) AS (sku text, price bigint, quantity bigint)
) WITH ORDINALITY AS line (sku, price, quantity, position) ON item.sku = line.sku
WHERE item.sku = ANY (new.skus) AND item.status = 'available' AND NOT is_unique
  AND item.currency = new.currency AND unit_price_minor = price AND stock - held >= quantity) AS fitting) THEN
        RETURN;
    END IF;
    PERFORM FROM stock_item WHERE sku = ANY (new.skus) ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH fitting AS MATERIALIZED (
SELECT item.id AS item_id, title, item.sku, item.status, price, quantity, position
FROM stock_item AS item JOIN ROWS FROM (
    json_to_recordset(new.lines) AS (sku text, price bigint, quantity bigint)
) WITH ORDINALITY AS line (sku, price, quantity, position) ON item.sku = line.sku
WHERE item.sku = ANY (new.skus) AND item.status = 'available' AND NOT is_unique
  AND item.currency = new.currency AND unit_price_minor = price AND stock - held >= quantity
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
        INSERT INTO address (order_id, kind, name, line1, line2, city, region, postal_code, country, phone)
        SELECT placed.id, kind, name, line1, line2, city, region, postal_code, country, phone
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
$function$
"""


def upgrade():
    op.execute(FUNCTION)


def downgrade():
    op.execute('DROP FUNCTION place_order(json, timestamptz, timestamptz)')
