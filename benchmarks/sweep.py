"""What a sweep of many overdue orders costs: its time, its longest lock, and who waits for it.

`python -m benchmarks.sweep [--orders 100000] [--items 1] [--seconds 20]` starts a PostgreSQL
with full durability, writes overdue orders of as many hot items by SQL, and places new orders of
the same items from a process of its own: first alone, then beside `flask reservations sweep`,
then alone again. Locks are held no longer than the transaction that took them, so the longest
transaction of the sweep, looked at 100 times a second, is the bound.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from sandbox.servers import PostgreSQL

ROOT = Path(__file__).parents[1]
_BUYERS = 4  # threads of one web process
_SWEEPER = "orders-sweep"
_FILL = """
INSERT INTO stock_item (sku, title, unit_price_minor, currency, stock, held, is_unique, status,
                        created_at)
SELECT 'HOT-' || number, 'Hot item', 1999, 'EUR', 100000000, 0, false, 'available',
       clock_timestamp() FROM generate_series(0, %(items)s - 1) AS number;
INSERT INTO orders (order_number, email, token_version, currency, total_minor, state, fulfilment,
                    stock_shortage, needs_review, disputed, is_extended, expires_at, created_at)
SELECT 'OLD-' || number, 'guest@example.com', 1, 'EUR', 1999, 'pending', 'none', false, false,
       false, false, clock_timestamp() - interval '1 min', clock_timestamp() - interval '16 min'
FROM generate_series(1, %(orders)s) AS number;
INSERT INTO order_item (order_id, item_id, product_title, product_sku, product_status,
                        unit_price_minor, quantity)
SELECT orders.id, stock_item.id, title, sku, 'available', 1999, 1
FROM orders JOIN stock_item ON sku = 'HOT-' || orders.id %% %(items)s;
INSERT INTO reservation (order_id, item_id, quantity, state)
SELECT order_id, item_id, 1, 'active' FROM order_item;
UPDATE stock_item SET held = held_now FROM (
    SELECT item_id, count(*) AS held_now FROM reservation GROUP BY item_id) AS holds
WHERE item_id = stock_item.id;
INSERT INTO stock_movement (item_id, stock_delta, held_delta, reason, who, at)
SELECT id, stock, held, 'created', 'benchmark', clock_timestamp() FROM stock_item;
"""
_LONGEST = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)
FROM pg_stat_activity WHERE application_name = %s AND state <> 'idle'
"""


class Placed(NamedTuple):
    """Orders a second; what the middle one, one in a hundred and the slowest waited, in ms."""

    rate: float
    middle: float
    slow: float
    slowest: float
    refused: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--orders", type=int, default=100_000)
    options.add_argument("--items", type=int, default=1)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--buy", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.buy:
        _buy(given.items, given.seconds)
        return
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        postgresql = stack.enter_context(PostgreSQL(directory / "postgresql"))
        stack.callback(postgresql.destroy)
        os.environ.update(
            APP_ENV="development", DATABASE_URL=postgresql.url, LOG_LEVEL="ERROR", INSTANCE="web"
        )
        # No broker: jobs wait in the ledger, and nobody rings.
        os.environ.update(REDIS_URL="redis://127.0.0.1:1/0", CELERY_BROKER_URL="")
        _flask("db", "upgrade")
        _measure(postgresql.url, given.orders, given.items, given.seconds)


def _measure(url: str, orders: int, items: int, seconds: float) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        cursor = psycopg.ClientCursor(database)
        cursor.execute(_FILL, {"orders": orders, "items": items})
        cursor.execute("VACUUM ANALYZE")
        _report("alone", _placed(items, seconds))
        with _watched(url) as transactions:
            began = time.monotonic()
            sweep = _start("-m", "flask", "--app", "web", "reservations", "sweep")
            beside = []
            while sweep.poll() is None:
                beside.append(_placed(items, seconds))
            took = time.monotonic() - began
        for measured in beside:
            _report("beside the sweep", measured)
        _report("alone again", _placed(items, seconds))
        print(f"the sweep of {orders} orders took {took:.1f} s at most")
        print(f"its longest transaction took {max(transactions) * 1000:.0f} ms")
        ((left,),) = database.execute(
            "SELECT count(*) FROM orders WHERE state = 'pending' AND order_number LIKE 'OLD-%'"
        ).fetchall()
        assert left == 0, f"{left} orders are left"


@contextmanager
def _watched(url: str) -> Iterator[list[float]]:
    """Collects, meanwhile, how old the sweep's transaction is."""
    ages, is_over = [0.0], threading.Event()

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as database:
            while not is_over.wait(0.01):
                ((age,),) = database.execute(_LONGEST, (_SWEEPER,)).fetchall()
                ages.append(float(age))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield ages
    finally:
        is_over.set()
        thread.join()


def _placed(items: int, seconds: float) -> Placed:
    buyers = _start(
        "-m", "benchmarks.sweep", "--buy", "--items", str(items), "--seconds", str(seconds)
    )
    said, _ = buyers.communicate()
    return Placed(*json.loads(said))


def _buy(items: int, seconds: float) -> None:
    """Place orders for so long, and print what was measured."""
    from models.placing import place  # noqa: PLC0415 - settings come first
    from models.session import transaction  # noqa: PLC0415
    from models.storing import NewLine, NewOrder  # noqa: PLC0415 - settings come first
    from web import create_app  # noqa: PLC0415

    app = create_app()
    address = {"line1": "1 Street", "city": "Town", "postal_code": "1", "country": "IE"}
    waits: list[float] = []
    refused: list[Exception] = []
    deadline = time.monotonic() + seconds

    def buy(number: int) -> None:
        while time.monotonic() < deadline:
            number += 1
            line = NewLine(sku=f"HOT-{number % items}", unit_price_minor=1999, quantity=1)
            new = NewOrder(
                email="guest@example.com",
                currency="EUR",
                lines=[line],
                addresses={"shipping": address},
            )
            began = time.monotonic()
            try:
                with app.app_context(), transaction() as session:
                    place(session, new, chargeable=range(10**9), who="guest")
            except Exception as error:  # noqa: BLE001 - whatever it is, the buyer was not served
                refused.append(error)
            waits.append((time.monotonic() - began) * 1000)

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(_BUYERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slow = statistics.quantiles(waits, n=100)[98]
    rate, middle = len(waits) / seconds, statistics.median(waits)
    print(json.dumps(Placed(rate, middle, slow, max(waits), len(refused))))


def _start(*words: str) -> subprocess.Popen[str]:
    is_sweep = "sweep" in words
    environment = {**os.environ, "INSTANCE": "sweep" if is_sweep else "web"}
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def _flask(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "web", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _report(when: str, placed: Placed) -> None:
    print(
        f"{when}: {placed.rate:.0f} orders a second, {placed.middle:.1f} ms,"
        f" one in a hundred {placed.slow:.1f} ms, the slowest {placed.slowest:.1f} ms,"
        f" {placed.refused} refused",
        flush=True,
    )


if __name__ == "__main__":
    main()
