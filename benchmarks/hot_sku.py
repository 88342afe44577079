"""Holds a second on one hot SKU: the product's own placing of orders beside the bare statements.

`python -m benchmarks.hot_sku [--rounds 7] [--seconds 3] [--processes 2] [--threads 4]` has as many
processes and threads take turns, round by round, on a PostgreSQL with full durability:

bare     a conditional UPDATE of the item and an INSERT of the reservation, in one transaction,
         by psycopg alone, for orders that are there already
hold     the same by `stock.hold`: the item locked, judged and changed, its movement written
place    a whole order by `placing.place`: priced, stored with its lines and address, journalled,
         its stock held

What is printed last is the median of the rounds' ratios to the bare statements.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count

import psycopg

from benchmarks.servers import ROOT, servers

WAYS = ("bare", "hold", "place")
_ORDERS = 400_000  # more than one run holds stock for
_FILL = f"""
INSERT INTO stock_item (sku, title, unit_price_minor, currency, stock, held, is_unique, status,
                        created_at)
VALUES ('HOT', 'Hot item', 1999, 'EUR', 100000000, 0, false, 'available', clock_timestamp());
INSERT INTO orders (order_number, email, token_version, currency, total_minor, state, fulfilment,
                    stock_shortage, needs_review, disputed, is_extended, expires_at, created_at)
SELECT 'OLD-' || number, 'guest@example.com', 1, 'EUR', 1999, 'pending', 'none', false, false,
       false, false, clock_timestamp() + interval '1 day', clock_timestamp()
FROM generate_series(1, {_ORDERS}) AS number;
"""  # noqa: S608
_TAKE = "UPDATE stock_item SET held = held + 1 WHERE id = 1 AND stock - held >= 1"
_KEEP = "INSERT INTO reservation (order_id, item_id, quantity, state) VALUES (%s, 1, 1, 'active')"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--threads", type=int, default=4)
    options.add_argument("--number", type=int, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.number is not None:
        _buy(given.number, given.processes, given.threads)
        return
    with servers() as (postgresql, _), ExitStack() as stack:
        with psycopg.connect(postgresql.url, autocommit=True) as database:
            database.execute(_FILL)
            database.execute("VACUUM ANALYZE")
        crowds = [
            stack.enter_context(_crowd(number, *sys.argv[1:])) for number in range(given.processes)
        ]
        _round(crowds, 1)  # connections are open and code is warm
        _report([_round(crowds, given.seconds) for _ in range(given.rounds)])


@contextmanager
def _crowd(number: int, *words: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "benchmarks.hot_sku", *words, "--number", str(number)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _round(crowds: "Sequence[subprocess.Popen[str]]", seconds: float) -> dict[str, float]:
    """Holds a second, each way once."""
    return {way: _held(crowds, way, seconds) / seconds for way in WAYS}


def _held(crowds: "Sequence[subprocess.Popen[str]]", way: str, seconds: float) -> int:
    for crowd in crowds:
        assert crowd.stdin is not None
        crowd.stdin.write(f"{way} {seconds}\n")
        crowd.stdin.flush()
    return sum(int(crowd.stdout.readline()) for crowd in crowds if crowd.stdout is not None)


def _report(rounds: Sequence[dict[str, float]]) -> None:
    for way in WAYS:
        rate = statistics.median(each[way] for each in rounds)
        ratio = statistics.median(each[way] / each["bare"] for each in rounds)
        print(f"{way:6} {rate:6.0f} a second, {ratio:.2f} of the bare statements")


def _buy(number: int, processes: int, threads: int) -> None:
    """Hold as told, line by line, and say how often it was done."""
    from models import stock  # noqa: PLC0415 - after the environment is set
    from models.placing import place  # noqa: PLC0415
    from models.session import transaction  # noqa: PLC0415
    from models.storing import NewLine, NewOrder  # noqa: PLC0415
    from web import create_app  # noqa: PLC0415

    app, order_ids = create_app(), count(number + 1, processes)
    own = threading.local()
    new = NewOrder(
        email="guest@example.com",
        currency="EUR",
        lines=[NewLine(sku="HOT", unit_price_minor=1999, quantity=1)],
        addresses={
            "shipping": {"line1": "1 Street", "city": "Town", "postal_code": "1", "country": "IE"}
        },
    )

    def bare() -> None:
        if not hasattr(own, "database"):
            own.database = psycopg.connect(os.environ["DATABASE_URL"])
        with own.database.transaction():
            taken = own.database.execute(_TAKE).rowcount
            own.database.execute(_KEEP, (next(order_ids),))
        assert taken == 1

    def hold() -> None:
        with app.app_context(), transaction() as session:
            stock.hold(session, next(order_ids), {1: 1}, who="guest")

    def place_() -> None:
        with app.app_context(), transaction() as session:
            place(session, new, chargeable=range(10**9), who="guest")

    crowd = ThreadPoolExecutor(threads)
    ways: dict[str, Callable[[], None]] = {"bare": bare, "hold": hold, "place": place_}
    for line in sys.stdin:
        way, seconds = line.split()
        deadline = time.monotonic() + float(seconds)
        done = [crowd.submit(_times, ways[way], deadline) for _ in range(threads)]
        print(sum(each.result() for each in done), flush=True)


def _times(act: Callable[[], None], deadline: float) -> int:
    """How often one can do it until then."""
    done = 0
    while time.monotonic() < deadline:
        act()
        done += 1
    return done


if __name__ == "__main__":
    main()
