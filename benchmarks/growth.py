"""How much slower the product is with a long past: every path on a small and on a full database.

`python -m benchmarks.growth [--orders 1000000] [--days 365] [--seconds 3] [--rounds 5]` has the
running product tell twenty stories, loads copies of them by COPY (see `benchmarks.past`), has the
auditor look at all of them, and measures each path by turns on a database of 20,000 orders and on
the full one, both on one server. Printed is what one of each costs in milliseconds of a core, of
the web and PostgreSQL together, in the best rounds: other work on the machine hardly changes it.
`--only create,relay` measures those alone.
"""

import argparse
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

import settings
from benchmarks import load
from benchmarks.parties import Parties, cpu_seconds
from benchmarks.past import Past, mark
from benchmarks.product import PATIENT, PROCESSES, SKUS, STOCK, serving, whole
from benchmarks.servers import ROOT, servers
from benchmarks.telling import Teller, staff
from sandbox.runner import plan

LEAST = 0.90
_SMALL = 20_000
"""As many as fill a page of each list, so that pages show as much of the one as of the other."""
_MEMORY = {
    "shared_buffers": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 4 // 2**20}MB"
}
"""A quarter of the machine's, as PostgreSQL's manual advises."""
_WEB = {**PATIENT, "WEB_CONCURRENCY": str(PROCESSES), "LOG_LEVEL": "WARNING"}
_LISTS = ("", "?status=paid", "?status=shipped", "?status=expired", "?sku=SKU-7")
_PAGES = {
    "desk: orders": "orders/",
    "desk: orders to ship": "orders/?show=to+ship",
    "desk: orders unpaid": "orders/?show=unpaid",
    "desk: orders for review": "orders/?show=review",
    "desk: orders refunded": "orders/?show=refunded",
    "desk: orders of a SKU": "orders/?q=SKU-7",
    "desk: jobs": "jobs/",
    "desk: dead jobs": "jobs/?state=dead",
    "desk: events": "events/",
    "desk: stock": "stock/",
    "desk: an item": "stock/items/SKU-7/",
    "desk: overview": "overview/",
}


class Said(NamedTuple):
    """How somebody of staff comes in, and which process PostgreSQL is."""

    email: str
    password: str
    key: str
    postgresql: int


class Site(NamedTuple):
    """The web on one of the databases, and somebody of staff there."""

    url: str
    parties: Parties
    database_url: str
    key: str
    cookie: str
    recent: list[int]
    """The newest orders, which are what people look at."""
    some: list[int]
    """Of any age: what they have left on disk has to be read first."""


Path = Callable[[Site, float], float]
"""Milliseconds of a core for one, done there for so many seconds."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--orders", type=int, default=1_000_000)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", type=lambda names: names.split(","), default=list(_paths()))
    options.add_argument("--unaudited", action="store_true", help="trust what is loaded")
    given = options.parse_args()
    past, began = _past(), time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        postgresql, _ = stack.enter_context(servers(_MEMORY, _WEB))
        small, full, password = postgresql.url, _beside(postgresql.url), secrets.token_hex(12)
        with psycopg.connect(small, autocommit=True) as database:
            database.execute(STOCK)
        email, key = staff(small, password)
        _copy_database(small, full)
        for url, orders in ((small, _SMALL), (full, given.orders)):
            with psycopg.connect(url, autocommit=True) as database:
                say(f"{past.load(database, orders, days=given.days, say=say):,} orders are there")
        if not given.unaudited:
            _audit(full)
            say("the auditor has found nothing")
        said = Said(email, password, key, postgresql.pid or 0)
        sites = [_site(stack, url, said) for url in (small, full)]
        for site in sites:
            _chore(site, "count_days")  # as the clockwork has it done every hour
        paths = {name: path for name, path in _paths().items() if name in given.only}
        _report(_measured(sites, paths, given.seconds, given.rounds, say))


def _past() -> Past:
    """The stories, told to the whole product."""
    with whole(SWEEP_PERIOD_SECONDS="1", WEB_CONCURRENCY="1") as product:
        _, key = staff(product.database_url, secrets.token_hex(12))
        with psycopg.connect(product.database_url, autocommit=True) as database:
            mark(database)
            Teller(product, key).tell()
            return Past.told_in(database)


def _beside(url: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path="/full"))


def _copy_database(url: str, copy_url: str) -> None:
    name, copy_name = (urlsplit(each).path.lstrip("/") for each in (url, copy_url))
    maintenance = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as database:
        database.execute(f'CREATE DATABASE "{copy_name}" TEMPLATE "{name}"'.encode())


def _audit(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "web", "audit"],
        cwd=ROOT,
        env=settings.environment(DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"The auditor is not content:\n{(done.stdout + done.stderr)[-3000:]}")


def _site(stack: ExitStack, url: str, said: Said) -> Site:
    command = plan.procfile(ROOT / "Procfile")["web"]
    web, pid = stack.enter_context(serving(command, DATABASE_URL=url))
    browser = requests.Session()
    given = {"email": said.email, "password": said.password}
    came_in = browser.post(f"{web}/staff/", data=given, headers={"Origin": web}, timeout=30)
    assert came_in.ok, came_in.text
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
    with psycopg.connect(url) as database:
        ids = [found for (found,) in database.execute("SELECT id FROM orders ORDER BY id")]
    parties: Parties = {"web": [pid], "PostgreSQL": [said.postgresql]}
    recent, some = ids[-_SMALL:], random.sample(ids, _SMALL)
    return Site(web, parties, url, said.key, cookie, recent, some)


def _measured(
    sites: list[Site],
    paths: Mapping[str, Path],
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> Mapping[str, list[float]]:
    """The least that each path cost at each site."""
    best = {name: [float("inf") for _ in sites] for name in paths}
    for number in range(rounds):
        for name, path in paths.items():
            for site, one in enumerate(sites):
                best[name][site] = min(best[name][site], path(one, seconds))
        say(f"round {number + 1} of {rounds} is over")
    return best


def _paths() -> Mapping[str, Path]:
    return {
        "create": _create,
        "read": lambda site, seconds: _read(site, seconds, site.recent),
        "read any": lambda site, seconds: _read(site, seconds, site.some),
        "list": lambda site, seconds: _look(
            site, seconds, [f"/orders/{query}" for query in _LISTS], _key_of(site)
        ),
        "desk: an order": lambda site, seconds: _desk(
            site, seconds, [f"orders/{order_id}/" for order_id in site.recent]
        ),
        **{
            name: lambda site, seconds, page=page: _desk(site, seconds, [page])  # type: ignore[misc]
            for name, page in _PAGES.items()
        },
        **{name: lambda site, _, name=name: _chore(site, name) for name in ("relay", "sweep")},  # type: ignore[misc]
    }


def _create(site: Site, seconds: float) -> float:
    return _load(site, "create", seconds, skus=SKUS)


def _read(site: Site, seconds: float, order_ids: list[int]) -> float:
    return _look(site, seconds, [f"/orders/{one}/" for one in order_ids], _key_of(site))


def _desk(site: Site, seconds: float, pages: list[str]) -> float:
    paths = [f"/staff/desk/{page}" for page in pages]
    return _look(site, seconds, paths, f"Cookie: {site.cookie}\r\n")


def _look(site: Site, seconds: float, paths: list[str], headers: str) -> float:
    return _load(site, "look", seconds, paths=paths, headers=headers)


def _key_of(site: Site) -> str:
    return f"Authorization: Bearer {site.key}\r\n"


def _load(site: Site, script: str, seconds: float, **told: Any) -> float:
    before = sum(cpu_seconds(site.parties).values())
    seen = load.run(script, clients=4, seconds=seconds, url=site.url, **told)
    spent = sum(cpu_seconds(site.parties).values()) - before
    assert set(seen.statuses) <= {"200", "201"}, (script, seen.statuses)
    return 1000 * spent / max(sum(seen.statuses.values()), 1)


def _chore(site: Site, name: str) -> float:
    (postgresql,) = site.parties["PostgreSQL"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chores", name, str(postgresql)],
        cwd=ROOT,
        env=settings.environment(DATABASE_URL=site.database_url),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _report(best: Mapping[str, list[float]]) -> None:
    print(f"{'':26}{'small':>8}{'full':>8}{'ratio':>7}   core-ms each; {LEAST:.2f} asked")
    for name, (small, full) in best.items():
        ratio = small / full if full else 1.0
        verdict = "" if ratio >= LEAST else "   NOT MET"
        print(f"{name:26}{small:8.2f}{full:8.2f}{ratio:7.2f}{verdict}")


if __name__ == "__main__":
    main()
