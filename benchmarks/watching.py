"""What the machine and the database do while something is measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from benchmarks.parties import Parties, cpu_seconds, memory_mb


@dataclass
class Watched:
    """What was spent while something was measured."""

    core_seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    statements: float = 0.0
    transactions: float = 0.0

    def costs(self, times: int) -> dict[str, Any]:
        """For one of so many, as a `Row` has it."""
        each = max(times, 1)
        return {
            "core_ms": {name: 1000 * spent / each for name, spent in self.core_seconds.items()},
            "per_one": {
                "statements": self.statements / each,
                "transactions": self.transactions / each,
            },
            "memory_mb": self.memory,
        }


@contextmanager
def watching(parties: Parties, database_url: str) -> Iterator[Watched]:
    """What the parties, and the database, do in the meantime."""
    watched = Watched()
    with psycopg.connect(database_url, autocommit=True) as database:
        began, so_far = cpu_seconds(parties), _counted(database)
        yield watched
        watched.core_seconds = {
            name: spent - began[name] for name, spent in cpu_seconds(parties).items()
        }
        watched.statements, watched.transactions = (
            now - then for now, then in zip(_counted(database), so_far, strict=True)
        )
    watched.memory = memory_mb(parties)


def _counted(database: "psycopg.Connection[Any]") -> tuple[float, float]:
    """Statements, where the server counts them, and transactions so far."""
    database.execute("SELECT pg_stat_force_next_flush()")
    row = database.execute(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    there = database.execute("SELECT to_regclass('pg_stat_statements') IS NOT NULL").fetchone()
    counted = there and there[0]
    query = "SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements WHERE toplevel"
    found = database.execute(query).fetchone() if counted else None
    return (found[0] if found else 0.0, float(row[0] if row else 0))
