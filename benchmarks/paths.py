"""Each hot path of the product beside its floor, measured in one run on one machine.

`python -m benchmarks.paths NAME --seconds S` prints the path's rows as JSON; `make bench` runs them
all. A path runs in a process of its own, as its environment says where its servers are.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg

from benchmarks import load, pgbench
from benchmarks.load import Seen
from benchmarks.parties import Parties, cpu_seconds, memory_mb
from benchmarks.product import Web, serving, slow_down_the_provider, web, whole

_BARE = (
    "gunicorn --no-control-socket --worker-class gthread --workers {processes} --threads 16"
    ' --bind 127.0.0.1:$PORT --keep-alive 75 "benchmarks.bare:create_app()"'
)
_PROCESSES = 2
"""Of web, and of clients: as many as there are cores."""
_WARM_SECONDS = 2


@dataclass(kw_only=True)
class Row:
    """A path: what it does in a second, what its floor does, and what it costs."""

    name: str
    rate: float
    floor: float | None = None
    least: float | None = None
    """What the ratio of the two must be, or without a floor the rate."""
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of an answer."""
    core_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of a core for one of them, by party."""
    per_one: Mapping[str, float] = field(default_factory=dict)
    """Statements and transactions for one of them."""
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    said: str = ""

    @property
    def ratio(self) -> float | None:
        return self.rate / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        if self.least is None:
            return None
        return (self.rate if self.floor is None else self.rate / self.floor) >= self.least


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


def create(seconds: float) -> list[Row]:
    """Orders of three lines, by 8 and by 32 clients."""
    rows = []
    with web(_PROCESSES) as product:
        _run("create", product, clients=8, seconds=_WARM_SECONDS)
        for clients in (8, 32):
            floor = pgbench.orders_a_second(
                product.database_url, clients=clients, seconds=seconds / 2
            )
            with watching(product.parties, product.database_url) as watched:
                seen = _run("create", product, clients=clients, seconds=seconds)
            after = pgbench.orders_a_second(
                product.database_url, clients=clients, seconds=seconds / 2
            )
            rows.append(
                _row(f"create order, {clients} clients", seen, (floor + after) / 2, 0.20, watched)
            )
    return rows


def http(seconds: float) -> list[Row]:
    """The least that the product answers, beside a bare endpoint on the same server."""
    with web(_PROCESSES) as product, serving(_bare()) as (url, _):
        seen = _run("look", product, clients=16, seconds=seconds, path="/healthz")
        bare = load.run(
            "look",
            clients=16,
            seconds=seconds,
            processes=_PROCESSES,
            url=url,
            path="/healthz",
        )
    return [_row("HTTP: liveness", seen, bare.rate, None)]


def webhook(seconds: float) -> list[Row]:
    """An event stored and acknowledged, beside a bare endpoint that inserts one row."""
    with web(_PROCESSES) as product, serving(_bare()) as (url, _):
        own = {**product.told, "url": url}
        _run("acknowledge", product, clients=16, seconds=_WARM_SECONDS)
        bare = _bare_acknowledge(own, seconds)
        with watching(product.parties, product.database_url) as watched:
            seen = _run("acknowledge", product, clients=16, seconds=seconds)
        half = seen.rate / 2
        calm = _run("acknowledge", product, clients=32, seconds=seconds, rate=half)
        calm_bare = _bare_acknowledge(own, seconds, rate=half)
    p99 = calm_bare.percentile(99) / max(calm.percentile(99), 0.001)
    said = f"{calm.percentile(99):.1f} ms, bare {calm_bare.percentile(99):.1f} ms"
    return [
        _row("webhook acknowledged", seen, bare.rate, 0.30, watched),
        Row(
            name="webhook p99 at half load, bare ÷ ours",
            rate=p99,
            floor=1.0,
            least=0.25,
            percentiles=_percentiles(calm),
            said=said,
        ),
    ]


def _bare_acknowledge(told: Mapping[str, Any], seconds: float, **more: Any) -> Seen:
    clients = 32 if more else 16
    return load.run(
        "acknowledge", clients=clients, seconds=seconds, processes=_PROCESSES, **more, **told
    )


def booked(seconds: float) -> list[Row]:
    """Placed, paid by a delivered webhook and booked: no call of a provider, and no mail."""
    with whole(WEB_CONCURRENCY=str(_PROCESSES), WORKER_THREADS="8") as product:
        _run("book", product, clients=8, seconds=_WARM_SECONDS, processes=1)
        _await_quiet(product, "webhooks.apply")
        before, began = _counted_orders(product, "paid_at IS NOT NULL"), time.perf_counter()
        with watching(product.parties, product.database_url) as watched:
            seen = _run("book", product, clients=12, seconds=seconds, processes=1)
            _await_quiet(product, "webhooks.apply")
        took = time.perf_counter() - began
        paid = _counted_orders(product, "paid_at IS NOT NULL") - before
    said = "mails are written beside it"
    row = Row(name="placed, paid, booked", rate=paid / took, least=130, said=said)
    return [_costed(row, seen, watched, paid)]


def story(seconds: float) -> list[Row]:
    """Create, start-payment, pay, webhook, booked, mailed: with a quick and a slow provider."""
    rows = []
    with whole(
        WEB_CONCURRENCY=str(_PROCESSES), WEB_THREADS="32", WORKER_THREADS="32", MAIL_THREADS="4"
    ) as product:
        _run("story", product, clients=4, seconds=_WARM_SECONDS, processes=1)
        rows.append(_story(product, seconds, "whole story", 8, 50))
        slow_down_the_provider(product.told, 0.5)
        rows.append(_story(product, seconds, "whole story, provider at 500 ms", 32, None))
        rows.append(_started(product, seconds))
    return rows


def _story(product: Web, seconds: float, name: str, clients: int, least: float | None) -> Row:
    _await_quiet(product)
    before, began = _mailed(product), time.perf_counter()
    with watching(product.parties, product.database_url) as watched:
        seen = _run("story", product, clients=clients, seconds=seconds, processes=1)
        _await_quiet(product)
    took = time.perf_counter() - began
    mailed = _mailed(product) - before
    said = "provider's rate limit off"
    row = Row(name=name, rate=mailed / took, least=least, said=said)
    return _costed(row, seen, watched, mailed)


def _started(product: Web, seconds: float) -> Row:
    """How many payments are started in one call each while the provider takes half a second."""
    seen = _run("start", product, clients=30, seconds=seconds, processes=1)
    all_of_them = sum(seen.statuses.values())
    share = seen.statuses.get("200", 0) / max(all_of_them, 1)
    return Row(
        name="start-payment, provider at 500 ms",
        rate=seen.rate,
        least=50,
        percentiles=_percentiles(seen),
        said=f"{share:.1%} answered in one call",
    )


def _mailed(product: Web) -> int:
    with psycopg.connect(product.database_url) as database:
        row = database.execute(
            "SELECT count(*) FROM notification WHERE kind = 'order_paid' AND sent_at IS NOT NULL"
        ).fetchone()
    return int(row[0] if row else 0)


def _counted_orders(product: Web, condition: str) -> int:
    with psycopg.connect(product.database_url) as database:
        row = database.execute(f"SELECT count(*) FROM orders WHERE {condition}").fetchone()  # noqa: S608
    return int(row[0] if row else 0)


def _await_quiet(product: Web, kind: str = "%") -> None:
    """Return when no job of this kind waits or is worked on, but for those of a later time."""
    query = (
        "SELECT NOT EXISTS (SELECT FROM job WHERE kind LIKE %s AND state IN ('ready', 'leased')"
        " AND run_at < clock_timestamp() + interval '30 s')"
    )
    with psycopg.connect(product.database_url, autocommit=True) as database:
        while not (database.execute(query, (kind,)).fetchone() or (False,))[0]:
            time.sleep(0.05)


def _run(
    script: str, product: Web, *, clients: int, seconds: float, processes: int = 0, **more: Any
) -> Seen:
    return load.run(
        script,
        clients=clients,
        seconds=seconds,
        processes=processes or _PROCESSES,
        **{**product.told, **more},
    )


def _row(
    name: str, seen: Seen, floor: float, least: float | None, watched: Watched | None = None
) -> Row:
    row = Row(name=name, rate=seen.rate, floor=floor, least=least)
    return _costed(row, seen, watched or Watched(), len(seen.milliseconds))


def _costed(row: Row, seen: Seen, watched: Watched, times: int) -> Row:
    row.percentiles = _percentiles(seen)
    for name, value in watched.costs(times).items():
        setattr(row, name, value)
    bad = {status: times for status, times in seen.statuses.items() if not status.startswith("2")}
    row.said = "; ".join(filter(None, (row.said, f"also answered: {bad}" if bad else "")))
    return row


def _percentiles(seen: Seen) -> dict[str, float]:
    return {f"p{percent}": seen.percentile(percent) for percent in (50, 95, 99)}


def _bare() -> list[str]:
    return ["sh", "-c", f"exec {_BARE.format(processes=_PROCESSES)}"]


PATHS: dict[str, Callable[[float], list[Row]]] = {
    each.__name__: each for each in (create, http, webhook, booked, story)
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("path", choices=PATHS)
    options.add_argument("--seconds", type=float, default=10)
    given = options.parse_args()
    print(json.dumps([asdict(row) for row in PATHS[given.path](given.seconds)]))


if __name__ == "__main__":
    main()
