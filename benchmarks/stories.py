"""Whole stories of orders, counted in the database: what they end in, not what was answered."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.product import PROCESSES, WARM_SECONDS, Web, slow_down_the_provider, whole
from benchmarks.rows import Row, costed, percentiles
from benchmarks.watching import watching

_PACE = 20


def booked(seconds: float) -> list[Row]:
    """Placed, paid by a delivered webhook and booked: no call of a provider, and no mail."""
    with whole(WEB_CONCURRENCY=str(PROCESSES), WORKER_THREADS="8") as product:
        product.load("book", clients=8, seconds=WARM_SECONDS, processes=1)
        await_quiet(product, "webhooks.apply")
        with _frozen(product, "worker_mail"):
            before, began = _counted_orders(product, "paid_at IS NOT NULL"), time.perf_counter()
            with watching(product.parties, product.database_url) as watched:
                seen = product.load("book", clients=12, seconds=seconds, processes=1)
                await_quiet(product, "webhooks.apply")
            took = time.perf_counter() - began
            paid = _counted_orders(product, "paid_at IS NOT NULL") - before
    said = "mails are staged, and none is sent"
    row = Row(name="placed, paid, booked", rate=paid / took, least=130, said=said)
    return [costed(row, seen, watched, paid)]


@contextmanager
def _frozen(product: Web, party: str) -> Iterator[None]:
    """Keep a party of the product from doing anything."""
    pids = [pid for pid in product.parties[party] if pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def story(seconds: float) -> list[Row]:
    """Create, start-payment, pay, webhook, booked, mailed: with a quick and a slow provider."""
    with whole(WEB_CONCURRENCY=str(PROCESSES)) as product:
        product.load("story", clients=4, seconds=WARM_SECONDS, processes=1)
        rows = [_story(product, seconds, "whole story", 8, 50)]
    with whole(WEB_CONCURRENCY=str(PROCESSES), WEB_THREADS="64", WORKER_THREADS="32") as product:
        slow_down_the_provider(product.told, 0.5)
        product.load("story", clients=4, seconds=WARM_SECONDS, processes=1)
        rows.append(_story(product, seconds, "whole story, provider at 500 ms", 32, None))
        rows.append(_started(product, seconds))
    return rows


def paced(seconds: float) -> list[Row]:
    """The whole story while the provider takes 20 requests a second: orders wait, none fails."""
    with whole(
        WEB_CONCURRENCY=str(PROCESSES),
        WEB_THREADS="32",
        WORKER_THREADS="8",
        STRIPE_REQUESTS_PER_SECOND=str(_PACE),
    ) as product:
        row = _story(product, seconds, f"whole story, provider at {_PACE} a second", 32, None)
        unpaid = _counted_orders(product, "state <> 'paid' OR needs_review")
        dead = _count(product, "SELECT count(*) FROM job WHERE state = 'dead'")
        row.said = f"of {_counted_orders(product, 'true')} orders {unpaid} failed, {dead} dead jobs"
    return [row]


def _story(product: Web, seconds: float, name: str, clients: int, least: float | None) -> Row:
    await_quiet(product)
    before, began = _mailed(product), time.perf_counter()
    with watching(product.parties, product.database_url) as watched:
        seen = product.load("story", clients=clients, seconds=seconds, processes=1)
        await_quiet(product)
    took = time.perf_counter() - began
    mailed = _mailed(product) - before
    said = "provider's rate limit off"
    row = Row(name=name, rate=mailed / took, least=least, said=said)
    return costed(row, seen, watched, mailed)


def _started(product: Web, seconds: float) -> Row:
    """How many payments are started in one call each while the provider takes half a second."""
    seen = product.load("start", clients=30, seconds=seconds, processes=1)
    all_of_them = sum(seen.statuses.values())
    share = seen.statuses.get("200", 0) / max(all_of_them, 1)
    return Row(
        name="start-payment, provider at 500 ms",
        rate=seen.rate,
        least=50,
        percentiles=percentiles(seen),
        said=f"{share:.1%} answered in one call",
    )


def _mailed(product: Web) -> int:
    paid = "SELECT count(*) FROM notification WHERE kind = 'order_paid' AND sent_at IS NOT NULL"
    return _count(product, paid)


def _counted_orders(product: Web, condition: str) -> int:
    return _count(product, f"SELECT count(*) FROM orders WHERE {condition}")  # noqa: S608


def _count(product: Web, query: str) -> int:
    with psycopg.connect(product.database_url) as database:
        row = database.execute(query.encode()).fetchone()
    return int(row[0] if row else 0)


def await_quiet(product: Web, kind: str = "%") -> None:
    """Return when no job of this kind waits or is worked on, but for those of a later time."""
    query = (
        "SELECT NOT EXISTS (SELECT FROM job WHERE kind LIKE %s AND state IN ('ready', 'leased')"
        " AND run_at < clock_timestamp() + interval '30 s')"
    )
    with psycopg.connect(product.database_url, autocommit=True) as database:
        while not (database.execute(query, (kind,)).fetchone() or (False,))[0]:
            time.sleep(0.05)
