"""Refunds and disputes: no more goes back than came, and everybody who must know knows."""

from models.audit.check import Check
from models.refund import COUNTED, UNANSWERED

_RECOUNT = "Reconcile refunds; if it stays, add the refunds up and put the sum right."

CHECKS = (
    # By ix_refund_payment_id for each payment. A refund may be heard of before its payment is.
    Check(
        name="payment.gives_back_no_more_than_it_brought",
        invariant=4,
        subject="payment",
        repair="Compare with the provider; call off what has not been sent.",
        words={"counted": sorted(COUNTED)},
        query="""
            SELECT payment.id, order_id, format('%s of %s', given, brought) AS detail
            FROM payment JOIN orders ON orders.id = order_id, LATERAL (
                SELECT CASE payment.state WHEN 'succeeded' THEN received_minor
                    ELSE payment.amount_minor END AS brought) AS told, LATERAL (
                SELECT sum(amount_minor) AS given FROM refund
                WHERE payment_id = payment.id AND refund.state = ANY (:counted)) AS refunds
            WHERE payment.id BETWEEN :low AND :high AND given > brought
            AND NOT needs_review""",
    ),
    # By ix_refund_payment_id for each payment.
    Check(
        name="payment.counts_its_refunds",
        invariant=4,
        subject="payment",
        repair=_RECOUNT,
        query="""
            SELECT id, order_id, format('%s, and its refunds are %s', refunded_minor, given)
                AS detail
            FROM payment, LATERAL (
                SELECT coalesce(sum(amount_minor), 0) AS given FROM refund
                WHERE payment_id = payment.id AND state = 'succeeded') AS refunds
            WHERE id BETWEEN :low AND :high AND refunded_minor <> given""",
    ),
    # By payment's primary key.
    Check(
        name="payment.is_refunded_once_all_is_given_back",
        invariant=4,
        subject="payment",
        repair=_RECOUNT,
        query="""
            SELECT id, order_id, format('%s of %s is given back, refunded_at is %s',
                refunded_minor, received_minor, coalesce(refunded_at::text, 'empty')) AS detail
            FROM payment
            WHERE id BETWEEN :low AND :high AND (refunded_at IS NOT NULL)
                <> (received_minor > 0 AND refunded_minor >= received_minor)""",
    ),
    # By ix_payment_order_id for each order.
    Check(
        name="order.counts_its_refunds",
        invariant=4,
        subject="orders",
        repair=_RECOUNT,
        query="""
            SELECT id, id AS order_id, format('%s, and its payment gave back %s', refunded_minor,
                given) AS detail
            FROM orders, LATERAL (
                SELECT coalesce(sum(payment.refunded_minor), 0) AS given FROM payment
                WHERE order_id = orders.id AND settles) AS settled
            WHERE id BETWEEN :low AND :high AND refunded_minor <> given""",
    ),
    # By the primary key of payment for each refund.
    Check(
        name="refund.is_of_its_payment",
        invariant=4,
        subject="refund",
        repair="Compare with the provider; mark the order for review.",
        query="""
            SELECT refund.id, refund.order_id, format('%s of %s by %s, its payment %s of %s by %s',
                refund.currency, refund.order_id, refund.provider, payment.currency,
                payment.order_id, payment.provider) AS detail
            FROM refund JOIN payment ON payment.id = payment_id
            WHERE refund.id BETWEEN :low AND :high
            AND (refund.currency, refund.order_id, refund.provider)
                <> (payment.currency, payment.order_id, payment.provider)""",
    ),
    # By ix_journal_order_id_id for each refund that came to nothing.
    Check(
        name="refund.failed_is_seen",
        invariant=4,
        subject="refund",
        repair="See at the provider what became of the money, and write to the customer.",
        query="""
            SELECT id, order_id, format('%s, and nobody was told', state) AS detail
            FROM refund
            WHERE id BETWEEN :low AND :high AND state IN ('failed', 'cancelled')
            AND ended_at >= :journal_since AND NOT EXISTS (
                SELECT FROM journal
                WHERE order_id = refund.order_id AND what = 'order.needs_review')""",
    ),
    # By ix_journal_subject_subject_id and uq_notification_order_id_kind_recipient_copy for each.
    Check(
        name="refund.is_told_to_the_customer",
        invariant=7,
        subject="refund",
        repair="Write to the customer.",
        words={"unanswered": sorted(UNANSWERED)},
        query="""
            SELECT id, order_id, format('%s mails tell of it', mails) AS detail
            FROM refund, LATERAL (
                SELECT count(*) AS mails FROM notification
                WHERE order_id = refund.order_id AND kind = 'refund:' || refund.id
                AND copy = 0) AS told
            WHERE id BETWEEN :low AND :high AND origin <> 'provider' AND mails <> 1
            AND created_at >= :journal_since AND EXISTS (
                SELECT FROM journal WHERE subject = 'refund' AND subject_id = refund.id
                AND from_state = ANY (:unanswered) AND to_state IN ('pending', 'succeeded'))""",
    ),
    # By ix_journal_subject_subject_id for each mail.
    Check(
        name="mail.tells_of_its_refund",
        invariant=7,
        subject="notification",
        repair="Write to the customer that it was a mistake.",
        query="""
            SELECT mail.id, mail.order_id, format('%s, and the provider took no such refund of it',
                kind) AS detail
            FROM notification AS mail LEFT JOIN refund ON refund.id = refund_id
            WHERE mail.id BETWEEN :low AND :high AND starts_with(kind, 'refund:')
            AND mail.created_at >= :journal_since AND NOT coalesce(
                kind = 'refund:' || refund.id AND mail.order_id = refund.order_id AND EXISTS (
                    SELECT FROM journal WHERE subject = 'refund' AND subject_id = refund.id
                    AND to_state IN ('pending', 'succeeded')), false)""",
    ),
    # By ix_dispute_order_id for each order.
    Check(
        name="order.disputed_is_so",
        invariant=6,
        subject="orders",
        repair="See its disputes: it is disputed if one is open or lost.",
        query="""
            SELECT id, id AS order_id, format('disputed is %s, and %s stand', disputed, standing)
                AS detail
            FROM orders, LATERAL (
                SELECT count(*) AS standing FROM dispute
                WHERE order_id = orders.id AND state IN ('open', 'lost')) AS disputes
            WHERE id BETWEEN :low AND :high AND disputed <> (standing > 0)""",
    ),
    # By the primary key of payment for each dispute.
    Check(
        name="dispute.is_of_its_payment",
        invariant=6,
        subject="dispute",
        repair="Compare with the provider; mark the order for review.",
        query="""
            SELECT dispute.id, dispute.order_id, format('of order %s by %s, its payment %s by %s',
                dispute.order_id, dispute.provider, payment.order_id, payment.provider) AS detail
            FROM dispute JOIN payment ON payment.id = payment_id
            WHERE dispute.id BETWEEN :low AND :high
            AND (dispute.order_id, dispute.provider) <> (payment.order_id, payment.provider)""",
    ),
)
