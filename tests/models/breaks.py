"""What breaks each promise of the auditor, in a shop that `lived_in` has made, and nothing else."""

from itertools import pairwise


def of(name: str) -> str:
    return f"(SELECT id FROM orders WHERE email = '{name}@example.com')"


def _item(sku: str) -> str:
    return f"(SELECT id FROM stock_item WHERE sku = '{sku}')"


def _move(sku: str, units: int, holds: int, order: str = "NULL") -> str:
    return f"""INSERT INTO stock_movement
        (item_id, order_id, stock_delta, held_delta, reason, who, at)
        VALUES ({_item(sku)}, {order}, {units}, {holds}, 'by hand', 'test', clock_timestamp())"""


def _line(order: str, sku: str) -> str:
    """A line that costs nothing, so that the total stays right."""
    return f"""INSERT INTO order_item (order_id, item_id, product_title, product_sku,
        product_status, unit_price_minor, quantity)
        VALUES ({of(order)}, {_item(sku)}, 'Gift', '{sku}', 'available', 0, 1)"""


def _payment(order: str, state: str = "created", received: str = "0") -> str:
    """A payment of the order's amount, with the journal that its state asks for."""
    return f"""WITH made AS (
        INSERT INTO payment (order_id, provider, state, settles, amount_minor, currency,
            provider_key, received_minor, created_at)
        SELECT id, 'stripe', '{state}', false, total_minor, currency, 'by hand', {received},
            created_at FROM orders WHERE id = {of(order)}
        RETURNING id, order_id)
        INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why,
            at)
        SELECT order_id, 'payment', id, 'payment.state', 'created', '{state}', 'test', 'test',
            clock_timestamp() FROM made WHERE '{state}' NOT IN ('created', 'waiting')"""


def _drop(table: str, constraint: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"


def _moved(order: str, what: str, was: str, becomes: str) -> str:
    return f"""INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state,
        who, why, at) VALUES ({of(order)}, 'orders', {of(order)}, '{what}', {was}, {becomes},
        'test', 'test', clock_timestamp() - interval '2 days')"""


def _disputed(state: str, order: str, *, with_life: bool = True) -> str:
    """A dispute about the paid order's payment, with the journal that its state asks for."""
    return f"""WITH made AS (
        INSERT INTO dispute (payment_id, order_id, provider, provider_dispute_id, state, status,
            reason, amount_minor, currency, is_refundable, opened_at, created_at)
        SELECT id, {of(order)}, provider, 'du_1', '{state}', '{state}', 'fraudulent', 1, 'EUR',
            false, clock_timestamp(), clock_timestamp() FROM payment WHERE state = 'succeeded'
        RETURNING id, order_id)
        INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why,
            at)
        SELECT order_id, 'dispute', id, 'dispute.state', 'open', '{state}', 'test', 'test',
            clock_timestamp() FROM made WHERE '{state}' <> 'open' AND {with_life}"""


def _second_refund(state: str, amount: str, *steps: str) -> list[str]:
    """Another refund of the paid order, with the journal of its steps."""
    life = [
        f"""INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who,
            why, at) SELECT order_id, 'refund', max(id), 'refund.state', '{was}', '{becomes}',
            'test', 'test', clock_timestamp() FROM refund GROUP BY order_id"""
        for was, becomes in pairwise(steps)
    ]
    return [
        f"""INSERT INTO refund (payment_id, order_id, provider, state, origin, amount_minor,
            currency, is_everything, provider_key, requested_by, created_at, ended_at, looks)
            SELECT id, order_id, provider, '{state}', 'staff', {amount}, currency, false,
                'by hand', 'test', clock_timestamp(), clock_timestamp(), 0
            FROM payment WHERE state = 'succeeded'""",
        *life,
    ]


_MAILED = """INSERT INTO notification (order_id, kind, refund_id, recipient, state, message_id,
        created_at)
    SELECT order_id, 'refund:' || id, id, 'x@example.com', 'sent', 'by hand', clock_timestamp()
    FROM refund ORDER BY id DESC LIMIT 1"""
_MAIL_LIVED = """INSERT INTO journal
        (order_id, subject, subject_id, what, from_state, to_state, who, why, at)
    SELECT order_id, 'notification', id, 'notification.state', 'staged', 'sent', 'test', 'test',
        clock_timestamp() FROM notification WHERE message_id = 'by hand'"""
_COUNTED = [
    """UPDATE payment SET refunded_minor = (SELECT coalesce(sum(amount_minor), 0) FROM refund
        WHERE payment_id = payment.id AND state = 'succeeded')""",
    """UPDATE orders SET refunded_minor = (SELECT coalesce(sum(refunded_minor), 0) FROM payment
        WHERE order_id = orders.id AND settles)""",
]
_APPLIED = "(SELECT min(id) FROM webhook_event WHERE state = 'applied')"
_REVIEW = f"UPDATE orders SET needs_review = true WHERE id = {of('paid')}"

BREAKS: list[tuple[str, list[str]]] = [
    (
        "stock.held_within_stock",
        [
            _drop("stock_item", "ck_stock_item_held_within_stock"),
            "UPDATE stock_item SET stock = stock - 10 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", -10, 0),
        ],
    ),
    (
        "stock.held_is_reserved",
        [
            "UPDATE stock_item SET held = held + 1 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", 0, 1),
        ],
    ),
    (
        "stock.movements_add_up",
        ["UPDATE stock_item SET stock = stock + 1 WHERE sku = 'TSHIRT-BLUE'"],
    ),
    (
        "stock.piece_has_one_holder",
        [
            _drop("stock_item", "ck_stock_item_unique_stock"),
            _drop("stock_item", "ck_stock_item_status_agrees_with_stock"),
            "UPDATE stock_item SET stock = 2, held = 2 WHERE sku = 'VASE'",
            _move("VASE", 1, 1, of("pending")),
            f"""INSERT INTO reservation (order_id, item_id, quantity, state)
                VALUES ({of("pending")}, {_item("VASE")}, 1, 'active')""",
        ],
    ),
    (
        "stock.piece_status_agrees",
        [
            _drop("stock_item", "ck_stock_item_status_agrees_with_stock"),
            "UPDATE stock_item SET status = 'available' WHERE sku = 'VASE'",
        ],
    ),
    (
        "reservation.has_its_movements",
        ["UPDATE stock_movement SET order_id = NULL WHERE reason = 'taken'"],
    ),
    (
        "reservation.has_its_movements",
        ["UPDATE stock_movement SET order_id = NULL WHERE reason = 'put_back'"],
    ),
    (
        "reservation.returns_what_it_took",
        [
            _drop("reservation", "ck_reservation_put_back_of_taken"),
            "UPDATE reservation SET put_back = 3 WHERE state = 'taken'",
            "UPDATE stock_movement SET stock_delta = 3 WHERE reason = 'put_back'",
            "UPDATE stock_item SET stock = stock + 2 WHERE sku = 'TSHIRT-BLUE'",
        ],
    ),
    ("order.is_whole", [f"DELETE FROM address WHERE order_id = {of('paid')}"]),
    ("order.is_whole", [f"DELETE FROM order_item WHERE order_id = {of('paid')}"]),
    ("order.is_whole", ["UPDATE order_item SET unit_price_minor = unit_price_minor + 1"]),
    ("order.pending_holds_its_lines", [_line("pending", "VASE")]),
    (
        "order.ended_holds_nothing",
        [
            f"UPDATE reservation SET state = 'active' WHERE order_id = {of('expired')}",
            "UPDATE stock_item SET held = held + 2 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", 0, 2, of("expired")),
        ],
    ),
    ("order.paid_has_its_stock", [_line("paid", "VASE")]),
    (
        "order.is_paid_by_one_payment",
        ["UPDATE payment SET settles = false", _REVIEW, *_COUNTED],
    ),
    ("order.has_one_live_payment", ["DROP INDEX uq_payment_live", _payment("open")]),
    ("order.ended_has_no_live_payment", [_payment("expired")]),
    ("order.ended_keeps_no_money", [_payment("expired", "succeeded", "total_minor")]),
    (
        "order.is_confirmed_if_paid",
        ["DELETE FROM notification WHERE kind = 'order_paid'"],
    ),
    (
        "payment.has_its_orders_amount",
        ["UPDATE payment SET amount_minor = amount_minor + 1 WHERE state = 'open'"],
    ),
    ("payment.has_its_orders_amount", ["UPDATE payment SET currency = 'USD' WHERE state = 'open'"]),
    ("payment.succeeded_is_received", [_payment("paid", "succeeded", "total_minor - 1"), _REVIEW]),
    ("payment.surplus_is_seen", [_payment("paid", "succeeded", "total_minor")]),
    (
        "payment.surplus_is_seen",
        [
            _payment("paid", "succeeded", "total_minor"),
            """INSERT INTO refund (payment_id, order_id, provider, state, origin, amount_minor,
                currency, is_everything, provider_key, requested_by, created_at, looks)
                SELECT id, order_id, provider, 'requested', 'surplus', amount_minor - 1, currency,
                    true, 'by hand', 'system', clock_timestamp(), 0
                FROM payment WHERE provider_key = 'by hand'""",
        ],
    ),
    (
        "payment.gives_back_no_more_than_it_brought",
        _second_refund("requested", "received_minor - 99"),
    ),
    (
        "payment.counts_its_refunds",
        [
            "UPDATE payment SET refunded_minor = refunded_minor + 1 WHERE settles",
            _COUNTED[1],
        ],
    ),
    (
        "payment.is_refunded_once_all_is_given_back",
        ["UPDATE payment SET refunded_at = clock_timestamp() WHERE settles"],
    ),
    (
        "payment.is_refunded_once_all_is_given_back",
        [
            """UPDATE refund SET amount_minor = payment.received_minor FROM payment
                WHERE payment.id = payment_id""",
            *_COUNTED,
        ],
    ),
    (
        "order.counts_its_refunds",
        [f"UPDATE orders SET refunded_minor = 99 WHERE id = {of('paid')}"],
    ),
    ("refund.is_of_its_payment", ["UPDATE refund SET currency = 'USD'"]),
    (
        "refund.failed_is_seen",
        _second_refund("failed", "1", "requested", "sent", "failed"),
    ),
    (
        "refund.is_told_to_the_customer",
        _second_refund("pending", "1", "requested", "sent", "pending"),
    ),
    (
        "refund.is_told_to_the_customer",
        [
            *_second_refund("pending", "1", "requested", "sent", "pending"),
            _MAILED,
            _MAILED.replace("x@example", "y@example"),
            _MAIL_LIVED,
        ],
    ),
    (
        "mail.tells_of_its_refund",
        [*_second_refund("sent", "1", "requested", "sent"), _MAILED, _MAIL_LIVED],
    ),
    (
        "mail.tells_of_its_refund",
        ["UPDATE notification SET refund_id = NULL WHERE refund_id IS NOT NULL"],
    ),
    ("order.disputed_is_so", [f"UPDATE orders SET disputed = true WHERE id = {of('open')}"]),
    ("order.disputed_is_so", [_disputed("lost", "paid")]),
    ("dispute.is_of_its_payment", [_disputed("won", "open")]),
    ("dispute.has_a_legal_life", [_disputed("won", "paid", with_life=False)]),
    ("refund.has_a_legal_life", ["UPDATE refund SET state = 'pending'", *_COUNTED]),
    (
        "refund.is_answered",
        [
            *_second_refund("sent", "1", "requested", "sent"),
            "UPDATE refund SET created_at = created_at - interval '2 h' WHERE state = 'sent'",
        ],
    ),
    (
        "refund.is_looked_at",
        [
            *_second_refund("sent", "1", "requested", "sent"),
            "UPDATE refund SET look_at = clock_timestamp() - interval '1 h' WHERE state = 'sent'",
        ],
    ),
    (
        "payment.is_looked_at",
        ["UPDATE payment SET look_at = look_at - interval '1 h' WHERE state = 'open'"],
    ),
    (
        "payment.is_known_once",
        [
            _drop("payment", "uq_payment_provider_provider_payment_id"),
            "UPDATE payment SET provider_payment_id = 'pi_1'",
        ],
    ),
    (
        "payment.final_keeps_no_secret",
        ["UPDATE payment SET client_secret = 'secret' WHERE state = 'succeeded'"],
    ),
    ("payment.waits_for_another", [_payment("pending", "waiting")]),
    (
        "key.stands_for_one_request",
        [
            _drop("idempotency_key", "uq_idempotency_key_caller_endpoint_key"),
            """INSERT INTO idempotency_key (caller, endpoint, key, fingerprint, status, created_at)
                SELECT caller, endpoint, key, fingerprint, status, created_at
                FROM idempotency_key LIMIT 1""",
        ],
    ),
    (
        "event.is_stored_once",
        [
            _drop("webhook_event", "uq_webhook_event_provider_event_id"),
            """INSERT INTO webhook_event (provider, event_id, type, body, state, occurred_at,
                    received_at)
                SELECT provider, event_id, type, body, 'ignored', occurred_at, received_at
                FROM webhook_event""",
        ],
    ),
    (
        "event.has_its_job",
        [
            "DELETE FROM journal WHERE subject = 'webhook_event'",
            "UPDATE webhook_event SET state = 'received'",
        ],
    ),
    (
        "mail.has_its_job",
        ["UPDATE job SET state = 'cancelled' WHERE kind = 'notifications.send'"],
    ),
    (
        "mail.goes_out_once",
        [
            _drop("notification", "uq_notification_order_id_kind_recipient_copy"),
            """WITH twin AS (
                INSERT INTO notification (order_id, kind, recipient, state, message_id, created_at)
                SELECT order_id, kind, recipient, state, message_id, created_at FROM notification
                WHERE kind = 'order_paid'
                RETURNING id)
                INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts,
                    max_attempts, rung_at, created_at)
                SELECT 'notifications.send', 'mail:' || id, '{}', 'mail', 'ready',
                    clock_timestamp(), 0, 1, clock_timestamp(), clock_timestamp() FROM twin""",
        ],
    ),
    (
        "job.dead_says_why",
        ["UPDATE job SET state = 'dead', last_error = NULL WHERE kind = 'notifications.send'"],
    ),
    (
        "job.was_ended_by_its_last_claim",
        ["UPDATE job SET attempts = attempts + 1 WHERE kind = 'webhooks.apply'"],
    ),
    ("job.was_ended_by_its_last_claim", ["DELETE FROM job_attempt"]),
    (
        "orders.has_a_legal_life",
        [
            f"""UPDATE journal SET from_state = 'expired'
                WHERE order_id = {of("paid")} AND subject = 'orders'"""
        ],
    ),
    (
        "orders.has_a_legal_life",
        [_moved("paid", "orders.state", "'paid'", "'paid'")],
    ),
    (
        "orders.has_a_legal_life",
        [_moved("open", "orders.state", "'pending'", "'paid'")],
    ),
    ("payment.has_a_legal_life", ["UPDATE payment SET state = 'processing' WHERE state = 'open'"]),
    ("notification.has_a_legal_life", ["UPDATE notification SET state = 'sent'"]),
    ("webhook_event.has_a_legal_life", ["UPDATE webhook_event SET state = 'parked'"]),
    (
        "job.is_done_in_time",
        ["UPDATE job SET run_at = run_at - interval '1 h' WHERE state = 'ready'"],
    ),
    (
        "job.lease_is_freed",
        [
            """UPDATE job SET state = 'leased', lease_token = gen_random_uuid(),
                lease_until = clock_timestamp() - interval '1 h' WHERE state = 'ready'"""
        ],
    ),
    (
        "order.is_swept_in_time",
        [f"UPDATE orders SET expires_at = expires_at - interval '2 h' WHERE id = {of('open')}"],
    ),
    (
        "order.closing_ends",
        [
            f"UPDATE orders SET closing = 'expired' WHERE id = {of('open')}",
            _moved("open", "order.closing", "NULL", "'expired'"),
        ],
    ),
    (
        "payment.is_answered",
        [
            _payment("pending"),
            "UPDATE payment SET created_at = created_at - interval '2 h' WHERE state = 'created'",
        ],
    ),
    (
        "event.finds_its_payment",
        [
            f"""UPDATE journal SET to_state = 'parked'
                WHERE subject = 'webhook_event' AND subject_id = {_APPLIED}""",
            f"""UPDATE webhook_event SET state = 'parked', received_at = received_at
                - interval '2 days' WHERE id = {_APPLIED}""",
        ],
    ),
]
