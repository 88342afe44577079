"""What becomes of order creation beyond capacity, and beside what is slow or piles up.

`python -m benchmarks.pressure [--seconds 8] [--rounds 3] [--jobs 100000] [NAME ...]`:

crowd     orders come in two and three times as often as they can be taken, whether or not the
          earlier ones are answered: how many are served and how soon, how many are told to come
          back, and that every one of those is told when
provider  orders placed beside others that are paid, a few a second, while the provider takes half
          a second for each, and by turns no time
mail      the same while the mail server takes two seconds for each mail
backlog   orders placed beside a backlog of jobs, which the workers are busy with, and by turns
          beside none
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import psycopg

from benchmarks.product import (
    PROCESSES,
    WARM_SECONDS,
    Web,
    slow_down_the_mail,
    slow_down_the_provider,
    web,
    whole,
)
from benchmarks.stories import await_quiet

LEAST = 0.80
_BUYERS = 8
_CROWD = 400
_STORIES, _STORIES_A_SECOND = 16, 2.0
_PROVIDER_SECONDS, _MAIL_SECONDS = 0.5, 2.0
_PILE_UP = """
INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts, max_attempts, rung_at,
                 created_at)
SELECT 'notifications.send', 'benchmark:' || pg_current_xact_id() || ':' || number,
       jsonb_build_object('notification_id', (SELECT max(id) FROM notification)), 'mail', 'ready',
       clock_timestamp(), 0, 30, clock_timestamp(), clock_timestamp()
FROM generate_series(1, %s) AS number
"""
_CLEAR = "DELETE FROM job WHERE dedupe_key LIKE 'benchmark:%' AND state = 'ready'"

Burden = Callable[[], AbstractContextManager[None]]


def crowd(seconds: float, _rounds: int, _jobs: int) -> None:
    """Two and three times as many as can be served."""
    with web(PROCESSES) as product:
        product.load("create", clients=_BUYERS, seconds=WARM_SECONDS)
        capacity = product.load("create", clients=2 * _BUYERS, seconds=seconds).rate
        print(f"{'asked':>8}{'served':>8}{'turned away':>13}{'p50':>8}{'p99':>8}   a second, ms")
        for times in (0.5, 1, 2, 3):
            asked = capacity * times
            seen = product.load("create", clients=_CROWD, seconds=seconds, rate=asked)
            assert set(seen.statuses) <= {"201", "503"}, seen.statuses
            away = seen.statuses.get("503", 0) / seconds
            print(
                f"{asked:8.0f}{seen.rate:8.0f}{away:13.0f}"
                f"{seen.percentile(50):8.0f}{seen.percentile(99):8.0f}",
                flush=True,
            )


def provider(seconds: float, rounds: int, _jobs: int) -> None:
    """A provider that takes its time."""
    _beside_stories("provider", slow_down_the_provider, _PROVIDER_SECONDS, seconds, rounds)


def mail(seconds: float, rounds: int, _jobs: int) -> None:
    """A mail server that takes its time."""
    _beside_stories("mail", slow_down_the_mail, _MAIL_SECONDS, seconds, rounds)


def _beside_stories(
    name: str, slow_down: Callable[..., None], slow: float, seconds: float, rounds: int
) -> None:
    with _product() as product, ThreadPoolExecutor() as pool:

        @contextmanager
        def stories(takes: float) -> Iterator[None]:
            slow_down(product.told, takes)
            told = pool.submit(
                product.load,
                "story",
                clients=_STORIES,
                seconds=seconds + WARM_SECONDS,
                rate=_STORIES_A_SECOND,
                processes=1,
            )
            time.sleep(WARM_SECONDS)
            yield
            told.result()
            slow_down(product.told, 0)
            await_quiet(product)

        _compare(product, name, (lambda: stories(0), lambda: stories(slow)), seconds, rounds)


def backlog(seconds: float, rounds: int, jobs: int) -> None:
    """Jobs that pile up."""
    with _product() as product:

        @contextmanager
        def piled_up(number: int) -> Iterator[None]:
            with psycopg.connect(product.database_url, autocommit=True) as database:
                database.execute(_PILE_UP, (number,))
                database.execute("VACUUM ANALYZE job")  # it piles up in hours, not at once
                yield
                left = database.execute(_CLEAR).rowcount
            print(f"{left} of {number} jobs were left", flush=True)
            await_quiet(product)

        burdens = (lambda: piled_up(0), lambda: piled_up(jobs))
        _compare(product, "backlog", burdens, seconds, rounds)


@contextmanager
def _product() -> Iterator[Web]:
    """The whole product, warm, and one mail sent."""
    with whole(WEB_CONCURRENCY=str(PROCESSES), WORKER_THREADS="8", MAIL_THREADS="4") as product:
        product.load("story", clients=2, seconds=WARM_SECONDS, processes=1)
        product.load("create", clients=_BUYERS, seconds=WARM_SECONDS)
        await_quiet(product)
        yield product


def _compare(
    product: Web, name: str, burdens: tuple[Burden, Burden], seconds: float, rounds: int
) -> None:
    """By turns; the best of each, as others use the machine too."""
    without, beside = burdens
    rates: dict[Burden, list[float]] = {without: [], beside: []}
    for _ in range(rounds):
        for burden, found in rates.items():
            with burden():
                found.append(product.load("create", clients=_BUYERS, seconds=seconds).rate)
    ratio = max(rates[beside]) / max(rates[without])
    middle = statistics.median(
        pressed / calm for calm, pressed in zip(rates[without], rates[beside], strict=True)
    )
    print(
        f"{name}: {max(rates[beside]):.0f} orders a second, {max(rates[without]):.0f} without:"
        f" {ratio:.2f} (median of the rounds {middle:.2f}) of at least {LEAST:.2f}",
        flush=True,
    )


PRESSURES = {each.__name__: each for each in (crowd, provider, mail, backlog)}


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("names", nargs="*", choices=[*PRESSURES, []], metavar="NAME")
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--jobs", type=int, default=100_000)
    given = options.parse_args()
    for name in given.names or PRESSURES:
        PRESSURES[name](given.seconds, given.rounds, given.jobs)


if __name__ == "__main__":
    main()
