"""Orders: whole, paid once, and holding just what they should."""

from models.audit.check import Check
from models.payment import LIVE
from models.refund import COUNTED

# Each finds the order's other rows by the index on their order_id.
CHECKS = (
    Check(
        name="order.is_whole",
        invariant=1,
        subject="orders",
        repair="Restore the missing rows from a backup before it is shipped.",
        query="""
            SELECT id, id AS order_id,
                format('total %s, its lines %s, %s to ship to', total_minor, lines,
                       CASE WHEN has_address THEN 'an address' ELSE 'no address' END) AS detail
            FROM orders, LATERAL (
                SELECT coalesce(sum(unit_price_minor * quantity), 0) AS lines
                FROM order_item WHERE order_id = orders.id) AS sums,
            LATERAL (
                SELECT EXISTS (SELECT FROM address
                    WHERE order_id = orders.id AND kind = 'shipping') AS has_address) AS shipping
            WHERE id BETWEEN :low AND :high AND (lines <> total_minor OR NOT has_address)""",
    ),
    Check(
        name="order.pending_holds_its_lines",
        invariant=2,
        subject="orders",
        repair="Cancel the order, or hold the missing units for it.",
        query="""
            SELECT DISTINCT orders.id, orders.id AS order_id, 'not all lines are held' AS detail
            FROM orders JOIN order_item ON order_item.order_id = orders.id
            WHERE orders.id BETWEEN :low AND :high AND state = 'pending' AND NOT EXISTS (
                SELECT FROM reservation WHERE reservation.order_id = orders.id
                AND reservation.item_id = order_item.item_id AND reservation.state = 'active')""",
    ),
    Check(
        name="order.ended_holds_nothing",
        invariant=2,
        subject="orders",
        repair="Release the order's active reservations.",
        query="""
            SELECT id, id AS order_id, format('%s, and still holds stock', state) AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND state <> 'pending' AND EXISTS (
                SELECT FROM reservation WHERE order_id = orders.id AND state = 'active')""",
    ),
    Check(
        name="order.paid_has_its_stock",
        invariant=5,
        subject="orders",
        repair="Take the goods from stock, or flag the order as stock_shortage.",
        query="""
            SELECT DISTINCT orders.id, orders.id AS order_id, 'paid, but not all lines are taken'
                AS detail
            FROM orders JOIN order_item ON order_item.order_id = orders.id
            WHERE orders.id BETWEEN :low AND :high AND state = 'paid' AND NOT stock_shortage
            AND refunded_minor < total_minor AND NOT EXISTS (
                SELECT FROM reservation WHERE reservation.order_id = orders.id
                AND reservation.item_id = order_item.item_id AND reservation.state = 'taken')""",
    ),
    Check(
        name="order.is_paid_by_one_payment",
        invariant=3,
        subject="orders",
        repair="Compare with the provider; mark the order for review.",
        query="""
            SELECT id, id AS order_id,
                format('%s %s %s; %s payments settle it, by %s %s', state, total_minor,
                       orders.currency, payments, received, settled.currency) AS detail
            FROM orders, LATERAL (
                SELECT count(*) AS payments, sum(received_minor) AS received,
                    min(currency) AS currency
                FROM payment WHERE order_id = orders.id AND settles) AS settled
            WHERE id BETWEEN :low AND :high
            AND (payments <> CASE state WHEN 'paid' THEN 1 ELSE 0 END
                OR (received, settled.currency) <> (total_minor, orders.currency))""",
    ),
    Check(
        name="order.has_one_live_payment",
        invariant=3,
        subject="orders",
        repair="Close all but the newest payment at the provider.",
        words={"live": sorted(LIVE)},
        query="""
            SELECT id, id AS order_id, format('%s live payments', payments) AS detail
            FROM orders, LATERAL (
                SELECT count(*) AS payments FROM payment
                WHERE order_id = orders.id AND state = ANY (:live)) AS live
            WHERE id BETWEEN :low AND :high AND payments > 1""",
    ),
    Check(
        name="order.ended_has_no_live_payment",
        invariant=5,
        subject="orders",
        repair="Close the payment at the provider before it takes money for nothing.",
        words={"live": sorted(LIVE)},
        query="""
            SELECT id, id AS order_id, format('%s, and can still be paid', state) AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND state IN ('expired', 'cancelled') AND EXISTS (
                SELECT FROM payment WHERE order_id = orders.id AND state = ANY (:live))""",
    ),
    Check(
        name="order.ended_keeps_no_money",
        invariant=5,
        subject="orders",
        repair="Refund the payment, or complete the order.",
        words={"counted": sorted(COUNTED)},
        query="""
            SELECT id, id AS order_id, format('%s, but paid for', state) AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND state IN ('expired', 'cancelled')
            AND NOT needs_review AND EXISTS (
                SELECT FROM payment WHERE order_id = orders.id AND state = 'succeeded'
                AND received_minor > (SELECT coalesce(sum(amount_minor), 0) FROM refund
                    WHERE payment_id = payment.id AND refund.state = ANY (:counted)))""",
    ),
    Check(
        name="order.is_confirmed_if_paid",
        invariant=7,
        subject="orders",
        repair="Write to the customer.",
        query="""
            SELECT id, id AS order_id,
                CASE WHEN state = 'paid' THEN 'paid, but no mail says so'
                     ELSE format('a mail says it is paid, but it is %s', state) END AS detail
            FROM orders
            WHERE id BETWEEN :low AND :high AND (state = 'paid') <> EXISTS (
                SELECT FROM notification WHERE order_id = orders.id AND kind = 'order_paid')""",
    ),
)
