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
    # By ix_stock_movement_order_id for each reservation. A piece that staff have put on sale by
    # hand is there already when it comes back, and does not move again.
    Check(
        name="reservation.has_its_movements",
        invariant=8,
        subject="reservation",
        repair=_COUNT,
        query="""
            SELECT reservation.id, order_id, format('%s of item %s %s, %s came back; held %s,
                taken %s, put back %s', quantity, item_id, state, put_back, holds, taken, back)
                AS detail
            FROM reservation JOIN stock_item ON stock_item.id = item_id, LATERAL (
                SELECT coalesce(sum(held_delta), 0) AS holds,
                    coalesce(-sum(stock_delta) FILTER (WHERE reason = 'taken'), 0) AS taken,
                    coalesce(sum(stock_delta) FILTER (WHERE reason = 'put_back'), 0) AS back
                FROM stock_movement AS moved
                WHERE moved.order_id = reservation.order_id
                AND moved.item_id = reservation.item_id) AS moves
            WHERE reservation.id BETWEEN :low AND :high
            AND ((holds, taken) <> (CASE state WHEN 'active' THEN quantity ELSE 0 END,
                                    CASE state WHEN 'taken' THEN quantity ELSE 0 END)
                OR back <> put_back AND NOT (is_unique AND back = 0))""",
    ),
    # By reservation's primary key.
    Check(
        name="reservation.returns_what_it_took",
        invariant=2,
        subject="reservation",
        repair="Count the item, then correct put_back.",
        query="""
            SELECT id, order_id, format('%s of %s came back, and it is %s', put_back, quantity,
                state) AS detail
            FROM reservation
            WHERE id BETWEEN :low AND :high AND NOT (
                0 <= put_back AND put_back <= CASE state WHEN 'taken' THEN quantity ELSE 0 END)""",
    ),
)
