"""Payments: the amount of their order, each known once, no money unaccounted for."""

from models.audit.check import Check
from models.payment import FINAL, LIVE
from models.refund import COUNTED

_ASK = "Compare with the provider; mark the order for review."

CHECKS = (
    # By the primary key of orders for each payment.
    Check(
        name="payment.has_its_orders_amount",
        invariant=3,
        subject="payment",
        repair=_ASK,
        query="""
            SELECT payment.id, order_id, format('%s %s for an order of %s %s', amount_minor,
                payment.currency, total_minor, orders.currency) AS detail
            FROM payment JOIN orders ON orders.id = order_id
            WHERE payment.id BETWEEN :low AND :high
            AND (amount_minor, payment.currency) <> (total_minor, orders.currency)""",
    ),
    # By payment's primary key.
    Check(
        name="payment.succeeded_is_received",
        invariant=3,
        subject="payment",
        repair=_ASK,
        query="""
            SELECT id, order_id, format('received %s of %s', received_minor, amount_minor) AS detail
            FROM payment
            WHERE id BETWEEN :low AND :high AND state = 'succeeded'
            AND received_minor <> amount_minor""",
    ),
    # By the primary key of orders, and ix_refund_payment_id, for each surplus payment.
    Check(
        name="payment.surplus_is_seen",
        invariant=3,
        subject="payment",
        repair="Refund it: its order was paid by another.",
        words={"counted": sorted(COUNTED)},
        query="""
            SELECT payment.id, order_id, 'money too much, and nobody was told' AS detail
            FROM payment JOIN orders ON orders.id = order_id
            WHERE payment.id BETWEEN :low AND :high AND payment.state = 'succeeded'
            AND orders.state = 'paid' AND NOT settles AND NOT needs_review
            AND received_minor > (SELECT coalesce(sum(amount_minor), 0) FROM refund
                WHERE payment_id = payment.id AND refund.state = ANY (:counted))""",
    ),
    # By uq_payment_provider_provider_payment_id for each payment.
    Check(
        name="payment.is_known_once",
        invariant=3,
        subject="payment",
        repair=_ASK,
        query="""
            SELECT id, order_id, format('payment %s has the same provider payment', twin) AS detail
            FROM payment, LATERAL (
                SELECT min(id) AS twin FROM payment AS other
                WHERE (other.provider, other.provider_payment_id)
                    = (payment.provider, payment.provider_payment_id)) AS same
            WHERE id BETWEEN :low AND :high AND twin < id""",
    ),
    # By payment's primary key.
    Check(
        name="payment.final_keeps_no_secret",
        invariant=10,
        subject="payment",
        repair="Erase client_secret and redirect_url.",
        words={"final": sorted(FINAL)},
        query="""
            SELECT id, order_id,
                format('%s, and what lets a buyer pay it is still here', state) AS detail
            FROM payment
            WHERE id BETWEEN :low AND :high AND state = ANY (:final)
            AND (client_secret IS NOT NULL OR redirect_url IS NOT NULL)""",
    ),
    # By uq_payment_live for each payment that waits.
    Check(
        name="payment.waits_for_another",
        invariant=3,
        subject="payment",
        repair="Cancel it; the buyer can start another.",
        words={"live": sorted(LIVE)},
        query="""
            SELECT id, order_id, 'it waits for the end of a payment, and there is none' AS detail
            FROM payment
            WHERE id BETWEEN :low AND :high AND state = 'waiting' AND NOT EXISTS (
                SELECT FROM payment AS other
                WHERE other.order_id = payment.order_id AND other.state = ANY (:live))""",
    ),
)
