"""What PostgreSQL means to do for a statement, and what of that takes longer as the shop grows."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg

from tests.plans import anew
from tests.plans.recording import Sent

Node = Mapping[str, Any]
Database = psycopg.Connection[tuple[Any, ...]]

_WHOLE = 0.25
"""Whoever reads more of a table than this reads it all, sooner or later."""
_WINDOW = 10
_RARE = 0.005
"""Whoever goes through a table for rows as rare as this goes through most of it."""
_TELLING = """
LOAD 'auto_explain';
SET LOCAL auto_explain.log_min_duration = 0; SET LOCAL auto_explain.log_nested_statements = on;
SET LOCAL auto_explain.log_format = json; SET LOCAL client_min_messages = log
"""
_ROWS = "SELECT relname::text, reltuples FROM pg_class WHERE relname = ANY (%s)"
_SHORT = """
SELECT own.relname::text FROM pg_index
JOIN pg_class AS own ON own.oid = indexrelid JOIN pg_class AS whole ON whole.oid = indrelid
WHERE indpred IS NOT NULL AND own.reltuples < %s * whole.reltuples
"""


class Judge:
    """Looks at plans on a database whose tables have grown."""

    def __init__(self, database: Database, growing: Collection[str]) -> None:
        self._cursor = psycopg.ClientCursor(database)
        self.done: set[str] = set()
        """Functions that have been seen to do all that they do."""
        self.rows: dict[str, float] = dict(database.execute(_ROWS, (list(growing),)).fetchall())
        # Of those that hold few rows by themselves, any part may be gone through.
        self._short = {index for (index,) in database.execute(_SHORT, (_WHOLE,))}

    def offences(self, sent: Sent) -> set[str]:
        """What of a statement's plan grows with the shop: `scans orders` and the like."""
        try:
            name = anew.function_called(sent.sql)
            plans = self._inner_plans(name, sent) if name else [self._plan(sent)]
        except psycopg.errors.UndefinedTable:  # a temporary one, which holds what is imported
            return set()
        return {offence for plan in plans for offence in self._of(plan, is_limited=False)}

    def _plan(self, sent: Sent) -> Node:
        explain = f"EXPLAIN (FORMAT JSON) {sent.sql}"
        self._cursor.execute(explain.encode(), _narrowed(sent.values))
        row = self._cursor.fetchone()
        assert row
        plan: Node = row[0][0]["Plan"]
        return plan

    def _inner_plans(self, name: str, sent: Sent) -> list[Node]:
        """Of all that a function does: it does it once more, and all of it is undone."""
        plans: list[Node] = []

        def hear(told: psycopg.errors.Diagnostic) -> None:
            plans.append(json.loads((told.message_primary or "").partition("plan:\n")[2])["Plan"])

        database = self._cursor.connection
        with database.transaction(force_rollback=True):
            given = anew.prepare(database, name, json.loads(sent.values["given"]))
            database.execute(_TELLING.encode())
            database.add_notice_handler(hear)
            try:
                values = {"given": json.dumps(given)}
                if self._cursor.execute(sent.sql.encode(), values).fetchone():
                    self.done.add(name)
            finally:
                database.remove_notice_handler(hear)
        return plans

    def _of(self, node: Node, *, is_limited: bool) -> Iterator[str]:
        table = node.get("Relation Name")
        if table in self.rows:
            yield from self._of_scan(node, table, is_limited=is_limited)
        # Whoever sorts, hashes or counts has to read all that lies below first.
        ends_early = node["Node Type"] == "Limit" or (
            is_limited and node["Node Type"] not in ("Sort", "Aggregate", "Hash", "Materialize")
        )
        for child in node.get("Plans", ()):
            yield from self._of(child, is_limited=ends_early)

    def _of_scan(self, node: Node, table: str, *, is_limited: bool) -> Iterator[str]:
        kind, rows = node["Node Type"], self.rows[table]
        if kind == "Seq Scan":
            if not is_limited or node["Plan Rows"] < _WHOLE * rows:  # else any few rows will do
                yield f"scans {table}"
        elif not is_limited:
            if node["Plan Rows"] > _WHOLE * rows:
                yield f"reads most of {table}"
        elif {"Index Name", "Filter", "Index Cond"} & node.keys() == {"Index Name", "Filter"}:
            index = node["Index Name"]
            if index not in self._short and node["Plan Rows"] < _RARE * rows:
                yield f"searches {table} by {index}"


def _narrowed(values: Any) -> Any:
    """The auditor's windows are as narrow beside a large table as these are beside ours."""
    if isinstance(values, Mapping) and {"low", "high"} <= values.keys():
        return {**values, "high": values["low"] + _WINDOW}
    return values
