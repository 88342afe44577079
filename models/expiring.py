"""Many overdue orders at once: those that no payment was started for end here and now."""

from sqlalchemy.orm import Session

from models import ending, stock
from models.payment import LIVE
from models.session import now, signal_after_commit
from models.statement import Statement

# Only the clock and our own words are interpolated (S608).
_OVERDUE = f"""
state = 'pending' AND closing IS NULL AND expires_at <= {now()} AND NOT EXISTS (
    SELECT FROM payment WHERE order_id = orders.id AND payment.state = ANY (%(live)s))
"""
_LOCK = Statement(f"""
SELECT id FROM orders WHERE {_OVERDUE}
ORDER BY expires_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608
# A payment may have been started before its order was locked: so it is asked again.
_END = Statement(f"""
WITH ended AS (
    UPDATE orders SET state = 'expired'
    WHERE id = ANY (%(order_ids)s::bigint[]) AND {_OVERDUE} RETURNING id, email
), noted AS (
    INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why, at)
    SELECT id, 'orders', id, what, was, 'expired', %(who)s, %(why)s, {now()}
    FROM ended, (VALUES (1, 'order.closing', NULL), (2, 'orders.state', 'pending'))
        AS steps (step, what, was)
    ORDER BY id, step
)
SELECT id, email FROM ended ORDER BY id
""")  # noqa: S608


def expire_unpaid(session: Session, most: int) -> int:
    """End overdue orders without a payment and free what they hold; how many were ended.

    Orders that somebody else has locked are left alone. Stock comes last, so that its locks are
    held for no longer than it takes to commit.
    """
    live = sorted(LIVE)
    locked = [order_id for (order_id,) in _LOCK.rows(session, {"live": live, "most": most})]
    if not locked:
        return 0
    why = "it was not paid in time"
    bind = {"live": live, "order_ids": locked, "who": "system", "why": why}
    ended = dict(_END.rows(session, bind))
    for order_id in ended:
        signal_after_commit(session, f"order:{order_id}")
    ending.tell_expired(session, ended)
    stock.release(session, *ended, who="system")
    return len(ended)
