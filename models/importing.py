"""Many items at once, as a file has them: all of its rows are applied, or none.

The rows are laid into a table of this transaction's own. What differs from the catalogue is
locked in id order, judged, and changed by one statement; what does not is left alone.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger, Boolean, Text

from models.session import now

MOST_FAULTS = 1000


class Row(NamedTuple):
    """What row `number` of a file says of an item; units None leaves them as they are."""

    number: int
    sku: str
    title: str
    unit_price_minor: int
    currency: str
    stock: int | None
    is_unique: bool
    is_archived: bool


class Fault(NamedTuple):
    """Why a row cannot be applied."""

    number: int
    what: str


class Outcome(NamedTuple):
    """How many items come new, are changed, and are left as they are."""

    created: int
    changed: int
    unchanged: int


_TABLE = text("""
CREATE TEMPORARY TABLE imported (
    number bigint, sku text, title text, unit_price_minor bigint, currency text, stock bigint,
    is_unique boolean, is_archived boolean, item_id bigint
) ON COMMIT DROP
""")
_PATIENCE = text("SET LOCAL statement_timeout = '300s'")
_COLUMNS = {
    "number": BigInteger,
    "sku": Text,
    "title": Text,
    "unit_price_minor": BigInteger,
    "currency": Text,
    "stock": BigInteger,
    "is_unique": Boolean,
    "is_archived": Boolean,
}
_ADD = text("""
INSERT INTO imported
SELECT * FROM unnest(:number, :sku, :title, :unit_price_minor, :currency, :stock, :is_unique,
                     :is_archived)
""").bindparams(*(bindparam(name, type_=ARRAY(kind)) for name, kind in _COLUMNS.items()))

_ANALYSE = text("ANALYZE imported")
_MATCH = text("""
UPDATE imported SET item_id = item.id FROM stock_item AS item
WHERE item.sku = imported.sku AND (
    (item.title, item.unit_price_minor, item.stock, item.is_unique, item.status = 'archived',
     item.currency)
    <> (imported.title, imported.unit_price_minor, coalesce(imported.stock, item.stock),
        imported.is_unique, is_archived, imported.currency))
""")
_LOCK = text("""
SELECT count(*) FROM (
    SELECT id FROM stock_item WHERE id IN (SELECT item_id FROM imported)
    ORDER BY id FOR NO KEY UPDATE
) AS locked
""")
_FAULTS = text("""
SELECT number, CASE
    WHEN id IS NULL THEN 'stock: A new item needs it.'
    WHEN item.currency <> imported.currency
        THEN format('currency: %s is sold in %s for good.', imported.sku, item.currency)
    WHEN coalesce(imported.stock, item.stock) < held
        THEN format('stock: %s of %s are held.', held, imported.sku)
    ELSE 'is_unique: A one-of-a-kind piece has a stock of 0 or 1.' END
FROM imported LEFT JOIN stock_item AS item ON item.sku = imported.sku
WHERE CASE WHEN id IS NULL THEN imported.stock IS NULL
    ELSE item.currency <> imported.currency OR coalesce(imported.stock, item.stock) < held
        OR imported.is_unique AND coalesce(imported.stock, item.stock) > 1 END
ORDER BY number LIMIT :most
""")
_NEW = "NOT EXISTS (SELECT FROM stock_item WHERE stock_item.sku = imported.sku)"
_COUNT = text(f"""
SELECT count(*) FILTER (WHERE item_id IS NULL AND {_NEW}), count(item_id), count(*) FROM imported
""")  # noqa: S608

# In these two only our own words and the clock are interpolated.
_CREATE = text(f"""
WITH created AS (
    INSERT INTO stock_item (sku, title, unit_price_minor, currency, stock, held, is_unique, status,
                            created_at)
    SELECT sku, title, unit_price_minor, currency, stock, 0, is_unique,
           CASE WHEN is_archived THEN 'archived' WHEN is_unique AND stock = 0 THEN 'sold'
                ELSE 'available' END, {now()}
    FROM imported WHERE item_id IS NULL AND {_NEW} ORDER BY number
    RETURNING id, stock, status
), moved AS (
    INSERT INTO stock_movement (item_id, stock_delta, held_delta, reason, who, at)
    SELECT id, stock, 0, 'created', :who, {now()} FROM created
)
INSERT INTO journal (subject, subject_id, what, to_state, who, why, at)
SELECT 'stock_item', id, 'stock_item.created', status, :who, :why, {now()} FROM created
""")  # noqa: S608
_CHANGE = text(f"""
WITH wanted AS (
    SELECT item.id, imported.title, imported.unit_price_minor, imported.is_unique,
           coalesce(imported.stock, item.stock) AS stock,
           CASE WHEN is_archived THEN 'archived' WHEN NOT imported.is_unique THEN 'available'
                WHEN coalesce(imported.stock, item.stock) = 0 THEN 'sold'
                WHEN held = 1 THEN 'reserved' ELSE 'available' END AS status,
           item.title AS was_title, item.unit_price_minor AS was_price, item.stock AS was_stock,
           item.is_unique AS was_unique, item.status AS was_status
    FROM imported JOIN stock_item AS item ON item.id = item_id
), changed AS (
    UPDATE stock_item SET title = wanted.title, unit_price_minor = wanted.unit_price_minor,
        stock = wanted.stock, is_unique = wanted.is_unique, status = wanted.status
    FROM wanted WHERE stock_item.id = wanted.id
), moved AS (
    INSERT INTO stock_movement (item_id, stock_delta, held_delta, reason, who, at)
    SELECT id, stock - was_stock, 0, 'adjusted: ' || :why, :who, {now()}
    FROM wanted WHERE stock <> was_stock
)
INSERT INTO journal (subject, subject_id, what, from_state, to_state, who, why, at)
SELECT 'stock_item', id, 'stock_item.' || what, was, becomes, :who, :why, {now()}
FROM wanted, LATERAL (VALUES
    ('title', was_title, title),
    ('unit_price_minor', CAST(was_price AS text), CAST(unit_price_minor AS text)),
    ('stock', CAST(was_stock AS text), CAST(stock AS text)),
    ('is_unique', CAST(was_unique AS text), CAST(is_unique AS text)),
    ('status', was_status, status)
) AS each (what, was, becomes)
WHERE was <> becomes
""")  # noqa: S608


def begin(session: Session) -> None:
    """Make room for rows, in this transaction, which may take longer than others."""
    session.execute(_PATIENCE)
    session.execute(_TABLE)


def add(session: Session, rows: Sequence[Row]) -> None:
    """Lay some rows in, no two of which have one SKU; the catalogue stays as it is."""
    session.execute(_ADD, dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))


def match(session: Session, *, is_dry: bool) -> Sequence[Fault]:
    """Find out what differs, lock it unless the run is dry, and say what cannot be."""
    session.execute(_ANALYSE)
    session.execute(_MATCH)
    if not is_dry:
        session.execute(_LOCK)
    return [Fault(*row) for row in session.execute(_FAULTS, {"most": MOST_FAULTS})]


def outcome(session: Session) -> Outcome:
    """What the rows, matched and not applied yet, come to."""
    created, changed, rows = session.execute(_COUNT).one()
    return Outcome(created, changed, rows - created - changed)


def apply(session: Session, *, who: str, why: str) -> None:
    """Bring the catalogue to what the rows say; they are matched, and have no faults."""
    session.execute(_CREATE, {"who": who, "why": why})
    session.execute(_CHANGE, {"who": who, "why": why})


def bring(
    session: Session, batches: Iterable[Sequence[Row]], *, is_dry: bool, who: str, why: str
) -> tuple[Outcome, list[Fault]]:
    """Bring the catalogue to what all rows say, unless the run is dry or one of them has a fault.

    What it comes to, and the faults.
    """
    begin(session)
    for batch in batches:
        add(session, batch)
    faults = list(match(session, is_dry=is_dry))
    what = outcome(session)
    if not faults and not is_dry:
        apply(session, who=who, why=why)
    return what, faults
