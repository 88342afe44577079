"""Stock: every unit is accounted for, and no piece is promised twice."""

from models.audit.check import Check

_COUNT = "Count the item, then book the difference as a stock movement."

CHECKS = (
    # By stock_item's primary key.
    Check(
        name="stock.held_within_stock",
        invariant=2,
        subject="stock_item",
        repair=_COUNT,
        query="""
            SELECT id, NULL AS order_id, format('stock %s, held %s', stock, held) AS detail
            FROM stock_item
            WHERE id BETWEEN :low AND :high AND NOT (0 <= held AND held <= stock)""",
    ),
    # By ix_reservation_active for each item.
    Check(
        name="stock.held_is_reserved",
        invariant=2,
        subject="stock_item",
        repair="Compare the item's active reservations with their orders; correct held.",
        query="""
            SELECT id, NULL AS order_id, format('held %s, reserved %s', held, reserved) AS detail
            FROM stock_item, LATERAL (
                SELECT coalesce(sum(quantity), 0) AS reserved FROM reservation
                WHERE item_id = stock_item.id AND state = 'active') AS active
            WHERE id BETWEEN :low AND :high AND held <> reserved""",
    ),
    # By ix_stock_movement_item_id_id for each item.
    Check(
        name="stock.movements_add_up",
        invariant=2,
        subject="stock_item",
        repair=_COUNT,
        query="""
            SELECT id, NULL AS order_id,
                format('stock %s, held %s; moved %s, %s', stock, held, units, holds) AS detail
            FROM stock_item, LATERAL (
                SELECT coalesce(sum(stock_delta), 0) AS units, coalesce(sum(held_delta), 0) AS holds
                FROM stock_movement WHERE item_id = stock_item.id) AS moved
            WHERE id BETWEEN :low AND :high AND (stock, held) <> (units, holds)""",
    ),
    # By ix_reservation_active for each piece.
    Check(
        name="stock.piece_has_one_holder",
        invariant=2,
        subject="stock_item",
        repair="Decide who gets the piece; cancel the other order, or refund it.",
        query="""
            SELECT id, NULL AS order_id, format('stock %s, %s holders', stock, holders) AS detail
            FROM stock_item, LATERAL (
                SELECT count(*) AS holders FROM reservation
                WHERE item_id = stock_item.id AND state = 'active') AS active
            WHERE id BETWEEN :low AND :high AND is_unique AND (stock > 1 OR holders > 1)""",
    ),
    # By stock_item's primary key.
    Check(
        name="stock.piece_status_agrees",
        invariant=2,
        subject="stock_item",
        repair="Set the status that stock and held imply.",
        query="""
            SELECT id, NULL AS order_id,
                format('%s with stock %s, held %s', status, stock, held) AS detail
            FROM stock_item
            WHERE id BETWEEN :low AND :high AND is_unique AND status <> 'archived'
            AND status <> CASE WHEN stock = 0 THEN 'sold' WHEN held = 0 THEN 'available'
                ELSE 'reserved' END""",
    ),
    # By ix_stock_movement_order_id for each reservation.
    Check(
        name="reservation.has_its_movements",
        invariant=8,
        subject="reservation",
        repair=_COUNT,
        query="""
            SELECT id, order_id, format('%s of item %s %s; held %s, taken %s',
                quantity, item_id, state, held, taken) AS detail
            FROM reservation, LATERAL (
                SELECT coalesce(sum(held_delta), 0) AS held,
                    coalesce(-sum(stock_delta) FILTER (WHERE reason = 'taken'), 0) AS taken
                FROM stock_movement AS moved
                WHERE moved.order_id = reservation.order_id
                AND moved.item_id = reservation.item_id) AS moves
            WHERE id BETWEEN :low AND :high
            AND (held, taken) <> (CASE state WHEN 'active' THEN quantity ELSE 0 END,
                                  CASE state WHEN 'taken' THEN quantity ELSE 0 END)""",
    ),
)
