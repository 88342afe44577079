"""A shop's past: stories that the product itself has told, copied over and over by COPY.

`mark` a database, have the product tell stories there, and `Past.told_in` reads what they left:
every row of every table. `load` writes as many copies as are wanted into another database, each
with ids, numbers and names of its own, at its own hour of the last days, and of other items.
So whatever the product promises of its rows holds of the copies, whatever columns they have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from benchmarks.gaps import FIRST_ID, Copy, Gap, Reader

Connection = psycopg.Connection[tuple[Any, ...]]

_STAYING = {"api_key", "audit_cursor", "clock_offset", "day_figures"}
_STAYING |= {"finding", "periodic_run", "reconciliation", "stock_item"}
_MEANS_SOMETHING_ALONE = {"look", "orders", "shipment", "user_account"}
_NAMES = {
    "dispute": ["provider_dispute_id"],
    "idempotency_key": ["key"],
    "notification": ["message_id"],
    "orders": ["order_number", "email"],
    "payment": ["provider_payment_id"],
    "refund": ["provider_refund_id"],
    "user_account": ["email"],
    "webhook_event": ["event_id"],
}
"""Of which every copy has its own, wherever they are told."""
_TABLES = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' GROUP BY 1 ORDER BY 1
"""
_COUNT_STOCK = """
UPDATE stock_item SET stock = units, held = holds FROM (
    SELECT item_id, sum(stock_delta) AS units, sum(held_delta) AS holds
    FROM stock_movement GROUP BY item_id) AS moved
WHERE item_id = stock_item.id AND NOT is_unique
"""


class Block(NamedTuple):
    """All rows of one table as COPY reads them, with gaps for what each copy has of its own."""

    columns: Sequence[str]
    rows: int
    ids: int
    """That one copy takes, unused ones included."""
    text: str
    gaps: Sequence[Gap]

    def of(self, copy: Copy) -> str:
        return self.text % tuple([gap(copy) for gap in self.gaps])


@dataclass(frozen=True)
class Past:
    """What the stories left behind, by table."""

    blocks: Mapping[str, Block]

    @classmethod
    def told_in(cls, database: Connection) -> "Past":
        """What has come since `mark`, save what is about no order and no customer."""
        database.execute("SET timezone = 'UTC'")
        tables = _tables(database)
        rows = {table: list(_rows(database, table, columns)) for table, columns in tables.items()}
        _leave_out_strangers(rows)
        reader = Reader(list(tables), _names(database), [one for one, _ in _items(database)])
        return cls({table: _block(reader, tables[table], rows[table]) for table in tables})

    def load(
        self, database: Connection, orders: int, *, days: int, say: Callable[[str], None]
    ) -> int:
        """Write copies of so many orders, or some more, over the last days; how many there are."""
        times = -(-orders // self.blocks["orders"].rows)
        copies = self._copies(database, times, 24 * days)
        with database.transaction():
            database.execute("SET LOCAL session_replication_role = replica")  # no key is looked up
            for table, columns, there in _emptied(database):
                into = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FREEZE)"
                with database.cursor().copy(into.encode()) as stream:
                    stream.write(there)
                    if block := self.blocks.get(table):
                        say(f"{table}: {times * block.rows:,} rows")
                        for copy in copies():
                            stream.write(block.of(copy))
            database.execute(_COUNT_STOCK)
        for table, block in self.blocks.items():
            if "id" in block.columns:
                following = _next_id(database, table)
                _alter(database, f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH {following}")
        say("ANALYZE")
        database.execute("VACUUM stock_item")
        database.execute("ANALYZE")
        return times * self.blocks["orders"].rows

    def _copies(self, database: Connection, times: int, hours: int) -> Callable[[], Iterator[Copy]]:
        """The oldest first, so that ids grow with time."""
        start = {
            table: _next_id(database, table)
            for table, block in self.blocks.items()
            if "id" in block.columns
        }
        items = _items(database)

        def copies() -> Iterator[Copy]:
            for number in range(times):
                first = {
                    table: one + number * self.blocks[table].ids for table, one in start.items()
                }
                yield Copy(number, first, 1 + (times - 1 - number) * hours // times, items)

        return copies


def mark(database: Connection) -> None:
    """Have rows that come from now on bear ids that tell their table."""
    for number, (table, columns) in enumerate(_tables(database).items()):
        if "id" in columns:
            first = FIRST_ID.format(number)
            _alter(database, f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH {first}")


def wipe(database: Connection) -> None:
    """Delete it all; ids begin at 1 again."""
    _alter(database, f"TRUNCATE {', '.join(_all_tables(database))} RESTART IDENTITY CASCADE")


def _emptied(database: Connection) -> list[tuple[str, Sequence[str], bytes]]:
    """Every table, its columns, and the rows that were there, as COPY writes them; it has none."""
    there: list[tuple[str, Sequence[str], bytes]] = [
        (table, columns, b"".join(_copied(database, table, columns)))
        for table, columns in _all_tables(database).items()
    ]
    _alter(database, f"TRUNCATE {', '.join(table for table, _, _ in there)}")
    return there


def _all_tables(database: Connection) -> dict[str, list[str]]:
    """Whatever the product keeps, by columns."""
    found = database.execute(_TABLES)
    return {table: columns for table, columns in found if table != "alembic_version"}


def _tables(database: Connection) -> dict[str, list[str]]:
    """The columns of each table that grows with orders."""
    found = _all_tables(database)
    return {table: columns for table, columns in found.items() if table not in _STAYING}


def _rows(database: Connection, table: str, columns: Sequence[str]) -> Iterator[list[str]]:
    """Each marked row, as COPY writes its columns."""
    text = b"".join(_copied(database, table, columns)).decode()
    for line in text.splitlines():
        row = line.split("\t")
        if Reader.ID.fullmatch(row[0]):
            yield row


def _copied(database: Connection, table: str, columns: Sequence[str]) -> Iterator[bytes]:
    select = f"COPY (SELECT {', '.join(columns)} FROM {table} ORDER BY 1) TO STDOUT"  # noqa: S608
    with database.cursor().copy(select.encode()) as stream:
        yield from map(bytes, stream)


def _leave_out_strangers(rows: Mapping[str, list[list[str]]]) -> None:
    """Without rows that name no other, such as jobs of beat's, and without those that name them."""
    gone, before = set[str](), -1
    while len(gone) > before:
        before = len(gone)
        for table, those in rows.items():
            gone |= {row[0] for row in those if _is_stranger(table, row, gone)}
            those[:] = [row for row in those if row[0] not in gone]


def _is_stranger(table: str, row: Sequence[str], gone: set[str]) -> bool:
    named = {found.group() for value in row for found in Reader.ID.finditer(value)}
    knows_others = table in _MEANS_SOMETHING_ALONE or named != {row[0]}
    return bool(named & gone) or not knows_others


def _names(database: Connection) -> set[str]:
    queries = [
        f"SELECT {column} FROM {table} WHERE id >= {FIRST_ID.format(0)}"  # noqa: S608
        for table, columns in _NAMES.items()
        for column in columns
    ]
    found = {name for query in queries for (name,) in database.execute(query.encode())}
    return found - {None}


def _items(database: Connection) -> list[tuple[int, str]]:
    """Goods, of which there are many units."""
    query = "SELECT id, sku FROM stock_item WHERE NOT is_unique ORDER BY id"
    return [(item_id, sku) for item_id, sku in database.execute(query)]


def _block(reader: Reader, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    gaps: list[Gap] = []
    lines = [reader.line(columns, row, gaps) for row in rows]
    ids = max(
        (int(marked[2]) for row in rows if (marked := Reader.ID.fullmatch(row[0]))), default=0
    )
    return Block(columns, len(rows), ids, "".join(lines), gaps)


def _next_id(database: Connection, table: str) -> int:
    row = database.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}".encode()).fetchone()  # noqa: S608
    return int(row[0]) if row else 1


def _alter(database: Connection, statement: str) -> None:
    database.execute(statement.encode())
