"""A shop that has grown: thousands of copies of what was told there."""

from benchmarks.past import Connection, Past

_ORDERS = 8_000
_DAYS = 2
"""So recent that nothing is pruned while it is looked at."""
# What comes to be without an order, or too seldom to be told.
_BESIDES = """
INSERT INTO periodic_run (name, slot, at)
SELECT 'sweep', number, clock_timestamp() FROM generate_series(1, 10000) AS number;
INSERT INTO finding (promise, invariant, subject, subject_id, detail, repair, first_seen_at,
                     last_seen_at, closed_at)
SELECT 'stock.held_within_stock', 2, 'stock_item', number, 'held 1', 'Count.', clock_timestamp(),
       clock_timestamp(), clock_timestamp() FROM generate_series(1, 10000) AS number;
INSERT INTO dispute (payment_id, order_id, provider, provider_dispute_id, state, status, reason,
                     amount_minor, currency, is_refundable, opened_at, created_at, ended_at)
SELECT id, order_id, provider, 'dp_' || id, 'won', 'won', 'fraudulent', amount_minor, currency,
       false, created_at, created_at, created_at FROM payment LIMIT 5000;
INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why, at)
SELECT order_id, 'dispute', id, 'dispute.state', 'open', 'won', 'stripe', 'won', created_at
FROM dispute;
INSERT INTO look (payment_id, subject, number)
SELECT id, 'payment', 1 FROM payment ON CONFLICT DO NOTHING;
VACUUM ANALYZE
"""


def grow(database: Connection, past: Past) -> None:
    """Have much more happened here."""
    past.load(database, _ORDERS, days=_DAYS, say=lambda _: None)
    for statement in _BESIDES.split(";"):
        database.execute(statement.encode())
