"""book in one round trip

A function, as it was first; who calls it is in models/quick_booking.py.

Revision ID: 0024
Revises: 0023
Create Date: 2026-11-23 14:41:52.660181

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION book_success(given json, moment timestamptz, true_moment timestamptz)
RETURNS TABLE (booked_order bigint, booked_payment bigint, staged_job bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $function$
DECLARE
    told record;
    bought record;
    paying record;
    happened record;
BEGIN
    SELECT * INTO told FROM json_to_record(given) AS (
        job_id bigint, token uuid, attempt bigint, event_row_id bigint, reason text, provider text,
        provider_payment_id text, amount_minor bigint, currency text, raw jsonb, message_token text,
        mail_kind text, mail_queue text, mail_attempts bigint);

    PERFORM FROM job WHERE id = told.job_id AND lease_token = told.token FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT orders.id, email INTO bought FROM orders
    WHERE id = (SELECT order_id FROM payment WHERE provider = told.provider
                AND provider_payment_id = told.provider_payment_id)
      AND state = 'pending' AND closing IS NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT id, state INTO paying FROM payment
    WHERE provider = told.provider AND provider_payment_id = told.provider_payment_id
      AND state IN ('open', 'requires_action', 'processing')
      AND amount_minor = told.amount_minor AND currency = told.currency
    FOR NO KEY UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM payment WHERE order_id = bought.id AND state = 'waiting')
        OR EXISTS (SELECT FROM refund WHERE payment_id = paying.id) THEN
        RETURN;
    END IF;
    SELECT state INTO happened FROM webhook_event
    WHERE id = told.event_row_id AND state IN ('received', 'parked')
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM stock_item
    WHERE id IN (SELECT item_id FROM reservation WHERE order_id = bought.id AND state = 'active')
    ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH settled AS (
        UPDATE payment SET state = 'succeeded', settles = true, received_minor = amount_minor,
            raw_response = told.raw, client_secret = NULL, redirect_url = NULL, look_at = NULL,
            looks = 0, refunded_minor = 0, ended_at = moment
        WHERE id = paying.id
    ), paid AS (
        UPDATE orders SET state = 'paid', refunded_minor = 0, paid_at = moment WHERE id = bought.id
    ), applied AS (
        UPDATE webhook_event SET state = 'applied', reason = told.reason, order_id = bought.id,
            ended_at = moment
        WHERE id = told.event_row_id
    ), noted AS (
        INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why,
            at)
        VALUES
            (bought.id, 'payment', paying.id, 'payment.state', paying.state, 'succeeded',
             told.provider, 'told by event', moment),
            (bought.id, 'orders', bought.id, 'orders.state', 'pending', 'paid',
             told.provider, 'payment ' || paying.id || ' succeeded', moment),
            (bought.id, 'webhook_event', told.event_row_id, 'webhook_event.state', happened.state,
             'applied', told.provider, told.reason, moment)
    ), ended AS (
        UPDATE reservation SET state = 'taken' WHERE order_id = bought.id AND state = 'active'
        RETURNING item_id, quantity
    ), sold AS (
        UPDATE stock_item SET stock = stock - quantity, held = held - quantity,
            status = CASE WHEN NOT is_unique OR status = 'archived' THEN status ELSE 'sold' END
        FROM ended WHERE id = item_id
    ), moved AS (
        INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
        SELECT item_id, bought.id, -quantity, -quantity, 'taken', told.provider, moment FROM ended
    ), mailed AS (
        INSERT INTO notification (order_id, kind, recipient, copy, state, message_id, created_at)
        VALUES (bought.id, 'order_paid', bought.email, 0, 'staged',
                'order_paid.' || bought.id || '.' || told.message_token, moment)
        ON CONFLICT DO NOTHING
        RETURNING id
    ), staged AS (
        INSERT INTO job (kind, dedupe_key, order_id, payload, queue, state, run_at, attempts,
            max_attempts, rung_at, created_at)
        SELECT told.mail_kind, 'mail:' || id, bought.id,
            jsonb_build_object('notification_id', id), told.mail_queue, 'ready', moment, 0,
            told.mail_attempts, true_moment, moment
        FROM mailed
        ON CONFLICT (dedupe_key) DO NOTHING
        RETURNING id
    ), done AS (
        UPDATE job SET state = 'done', lease_token = NULL, lease_until = NULL,
            rung_at = true_moment, finished_at = moment
        WHERE id = told.job_id
    ), tried AS (
        INSERT INTO job_attempt (job_id, attempt, lease_token, outcome, ended_at)
        VALUES (told.job_id, told.attempt, told.token, 'done', moment)
    )
    SELECT bought.id, paying.id, (SELECT id FROM staged);
END
$function$
"""


def upgrade():
    op.execute(FUNCTION)


def downgrade():
    op.execute('DROP FUNCTION book_success(json, timestamptz, timestamptz)')
