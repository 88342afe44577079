"""Lateness: whatever is under way comes to its end in time."""

from models import payment, refund
from models.audit.check import Check

CHECKS = (
    # By ix_job_ready.
    Check(
        name="job.is_done_in_time",
        invariant=11,
        subject="job",
        is_late=True,
        at_once=True,
        repair="See whether the workers of its queue and beat run.",
        query="""
            SELECT id, order_id, format('%s of %s is due since %s', kind, queue, run_at) AS detail
            FROM job
            WHERE id BETWEEN :low AND :high AND state = 'ready'
            AND run_at < :now - interval '10 minutes'""",
    ),
    # By ix_job_leased.
    Check(
        name="job.lease_is_freed",
        invariant=11,
        subject="job",
        is_late=True,
        at_once=True,
        repair="See whether beat runs: it frees expired leases.",
        query="""
            SELECT id, order_id, format('%s is held by %s until %s', kind, lease_owner,
                lease_until) AS detail
            FROM job
            WHERE id BETWEEN :low AND :high AND state = 'leased'
            AND lease_until < :true_now - interval '10 minutes'""",
    ),
    # By ix_orders_expiring.
    Check(
        name="order.is_swept_in_time",
        invariant=11,
        subject="orders",
        is_late=True,
        at_once=True,
        repair="See whether reservations.sweep is done, and what it says.",
        query="""
            SELECT id, id AS order_id, format('its hold ran out at %s', expires_at) AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND state = 'pending' AND closing IS NULL
            AND expires_at < :now - interval '10 minutes'""",
    ),
    # By ix_journal_order_id_id for each closing order.
    Check(
        name="order.closing_ends",
        invariant=11,
        subject="orders",
        is_late=True,
        repair="See what payments.close says of its payment.",
        query="""
            SELECT id, id AS order_id, format('%s is not done yet', closing) AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND closing IS NOT NULL AND NOT needs_review
            AND EXISTS (SELECT FROM journal WHERE order_id = orders.id
                AND what = 'order.closing' AND at < :now - interval '1 day')""",
    ),
    # By the primary keys of payment and orders.
    Check(
        name="payment.is_answered",
        invariant=11,
        subject="payment",
        is_late=True,
        repair="See what payments.create_intent says; ask the provider.",
        words={"unanswered": sorted(payment.UNANSWERED)},
        query="""
            SELECT payment.id, order_id, format('%s since %s', payment.state,
                coalesce(sent_at, payment.created_at)) AS detail
            FROM payment JOIN orders ON orders.id = order_id
            WHERE payment.id BETWEEN :low AND :high AND payment.state = ANY (:unanswered)
            AND NOT needs_review AND payment.created_at < :now - interval '1 hour'""",
    ),
    # By the primary keys of refund and orders.
    Check(
        name="refund.is_answered",
        invariant=11,
        subject="refund",
        is_late=True,
        repair="See what refunds.create says; ask the provider.",
        words={"unanswered": sorted(refund.UNANSWERED)},
        query="""
            SELECT refund.id, order_id, format('%s since %s', refund.state,
                coalesce(sent_at, refund.created_at)) AS detail
            FROM refund JOIN orders ON orders.id = order_id
            WHERE refund.id BETWEEN :low AND :high AND refund.state = ANY (:unanswered)
            AND NOT needs_review AND refund.created_at < :now - interval '1 hour'""",
    ),
    # By ix_payment_look_at.
    Check(
        name="payment.is_looked_at",
        invariant=11,
        subject="payment",
        is_late=True,
        at_once=True,
        repair="See whether janitor.sweep is done, and what it says.",
        query="""
            SELECT id, order_id, format('%s, to be looked at since %s', state, look_at) AS detail
            FROM payment
            WHERE id BETWEEN :low AND :high AND look_at < :now - interval '10 minutes'""",
    ),
    # By ix_refund_look_at.
    Check(
        name="refund.is_looked_at",
        invariant=11,
        subject="refund",
        is_late=True,
        at_once=True,
        repair="See whether janitor.sweep is done, and what it says.",
        query="""
            SELECT id, order_id, format('%s, to be looked at since %s', state, look_at) AS detail
            FROM refund
            WHERE id BETWEEN :low AND :high AND look_at < :now - interval '10 minutes'""",
    ),
    # By ix_webhook_event_parked.
    Check(
        name="event.finds_its_payment",
        invariant=6,
        subject="webhook_event",
        is_late=True,
        at_once=True,
        repair="Find the payment at the provider; the database may have been restored.",
        query="""
            SELECT id, order_id, format('%s is parked: %s', type, reason) AS detail
            FROM webhook_event
            WHERE id BETWEEN :low AND :high AND state = 'parked'
            AND received_at < :now - interval '1 day'""",
    ),
)
