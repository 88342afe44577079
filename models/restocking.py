"""Goods that come back: units an order had taken go on sale again, each once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger

from models.refund import UNANSWERED
from models.session import now
from models.stock import lock

# Only the clock is interpolated (S608). A piece that staff have put on sale again by hand is
# there already, and does not come a second time.
_PUT_BACK = text(f"""
WITH wanted AS (
    SELECT * FROM unnest(:item_ids, :quantities) AS wanted (item_id, quantity)
), back AS (
    SELECT reservation.id, item_id, least(wanted.quantity, reservation.quantity - put_back) AS units
    FROM reservation JOIN wanted USING (item_id)
    WHERE order_id = :order_id AND state = 'taken' AND put_back < reservation.quantity
), noted AS (
    UPDATE reservation SET put_back = put_back + units FROM back WHERE reservation.id = back.id
), changed AS (
    UPDATE stock_item SET
        stock = stock + units,
        status = CASE WHEN is_unique AND status = 'sold' THEN 'available' ELSE status END
    FROM back WHERE stock_item.id = item_id AND NOT (is_unique AND stock = 1)
    RETURNING stock_item.id, units
), moved AS (
    INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
    SELECT id, :order_id, units, 0, 'put_back', :who, {now()} FROM changed
)
SELECT count(*) FROM changed
""").bindparams(  # noqa: S608
    bindparam("item_ids", type_=ARRAY(BigInteger)),
    bindparam("quantities", type_=ARRAY(BigInteger)),
)

_RETURNABLE = text("""
SELECT item_id, sku, quantity - put_back - coalesce(promised.units, 0) AS units
FROM reservation
JOIN (
    SELECT DISTINCT item_id, product_sku AS sku FROM order_item WHERE order_id = :order_id
) AS line USING (item_id)
LEFT JOIN (
    SELECT CAST(key AS bigint) AS item_id, CAST(sum(CAST(value AS bigint)) AS bigint) AS units
    FROM refund, jsonb_each_text(restock)
    WHERE order_id = :order_id AND state IN :unanswered GROUP BY key
) AS promised USING (item_id)
WHERE order_id = :order_id AND state = 'taken' AND quantity - put_back > coalesce(units, 0)
ORDER BY item_id
""").bindparams(bindparam("unanswered", sorted(UNANSWERED), expanding=True))


class Returnable(NamedTuple):
    """What of one item an order has taken and not brought back."""

    item_id: int
    sku: str
    units: int


def returnable(session: Session, order_id: int) -> Sequence[Returnable]:
    """What of the order's goods can come back, by item, less what refunds under way bring."""
    return [Returnable(*row) for row in session.execute(_RETURNABLE, {"order_id": order_id})]


def put_back(session: Session, order_id: int, units: Mapping[int, int], *, who: str) -> int:
    """Put units back on sale, by item id; the number of items changed.

    No more comes back than the order had taken. The caller holds the order's lock.
    """
    item_ids = sorted(units)
    lock(session, item_ids)
    bind = {
        "order_id": order_id,
        "item_ids": item_ids,
        "quantities": [units[item_id] for item_id in item_ids],
        "who": who,
    }
    return session.scalar(_PUT_BACK, bind) or 0
