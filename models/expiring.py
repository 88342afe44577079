"""Many overdue orders at once: those that no payment was started for end here and now."""

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from models import ending, stock
from models.payment import LIVE
from models.session import now, signal_after_commit

# Only the clock and our own words are interpolated (S608).
_OVERDUE = f"""
state = 'pending' AND closing IS NULL AND expires_at <= {now()} AND NOT EXISTS (
    SELECT FROM payment WHERE order_id = orders.id AND payment.state IN :live)
"""
_LOCK = text(f"""
SELECT id FROM orders WHERE {_OVERDUE}
ORDER BY expires_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
""").bindparams(bindparam("live", sorted(LIVE), expanding=True))  # noqa: S608
# A payment may have been started before its order was locked: so it is asked again.
_END = text(f"""
WITH ended AS (
    UPDATE orders SET state = 'expired' WHERE id IN :order_ids AND {_OVERDUE} RETURNING id, email
), noted AS (
    INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why, at)
    SELECT id, 'orders', id, what, was, 'expired', :who, :why, {now()}
    FROM ended, (VALUES (1, 'order.closing', NULL), (2, 'orders.state', 'pending'))
        AS steps (step, what, was)
    ORDER BY id, step
)
SELECT id, email FROM ended ORDER BY id
""").bindparams(  # noqa: S608
    bindparam("live", sorted(LIVE), expanding=True), bindparam("order_ids", expanding=True)
)


def expire_unpaid(session: Session, most: int) -> int:
    """End overdue orders without a payment and free what they hold; how many were ended.

    Orders that somebody else has locked are left alone. Stock comes last, so that its locks are
    held for no longer than it takes to commit.
    """
    locked = session.scalars(_LOCK, {"most": most}).all()
    if not locked:
        return 0
    bind = {"order_ids": locked, "who": "system", "why": "it was not paid in time"}
    ended = {order.id: order.email for order in session.execute(_END, bind)}
    for order_id in ended:
        signal_after_commit(session, f"order:{order_id}")
    ending.tell_expired(session, ended)
    stock.release(session, *ended, who="system")
    return len(ended)
