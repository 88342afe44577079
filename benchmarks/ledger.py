"""What the ledger costs: stage → ring → claim → finish, beside plain Celery, in one run.

`python -m benchmarks.ledger [--jobs 3000] [--rounds 3]` starts a PostgreSQL with full
durability, a Valkey and two worker processes, and prints both rates of each round, their ratio,
and what each party spends of a core on a job, read from /proc: on a machine that has other work
too, this says more. Both sides use the same broker, workers, producing threads and settings:
early ack, no prefetch.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.parties import Parties, cpu_seconds
from benchmarks.servers import ROOT, servers

_WORKERS = 2
_PRODUCERS = 4  # threads, as of a web process
_WORKER = (
    "celery --app tasks worker --include benchmarks.noop --pool threads --concurrency 4"
    " --queues payments --without-gossip --without-mingle --without-heartbeat --loglevel error"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Jobs a second, and milliseconds of a core that each party spent on one."""

    rate: float
    spent: Mapping[str, float]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with ExitStack() as stack:
        postgresql, valkey = stack.enter_context(servers())
        parties: Parties = {
            "workers": [stack.enter_context(_worker(number)) for number in range(_WORKERS)],
            "producers": [os.getpid()],
            "PostgreSQL": [postgresql.pid],
            "Valkey": [valkey.pid],
        }
        _report([_round(given.jobs, parties) for _ in range(given.rounds)])


@contextmanager
def _worker(number: int) -> Iterator[int]:
    command = [sys.executable, "-m", *_WORKER.split(), "--hostname", f"bench{number}@%h"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _round(jobs: int, parties: Parties) -> tuple[Measured, Measured]:
    """Plain Celery's and the ledger's."""
    plain = _measured(jobs, parties, _publish, _none_is_queued)
    return plain, _measured(jobs, parties, _stage, _none_is_waiting)


def _measured(
    jobs: int, parties: Parties, produce: Callable[[int], None], is_done: Callable[[], bool]
) -> Measured:
    with ThreadPoolExecutor(_PRODUCERS) as producers:
        list(producers.map(produce, [20] * _PRODUCERS))
        _await(is_done)  # connections are open and code is warm
        before, began = cpu_seconds(parties), time.perf_counter()
        list(producers.map(produce, [jobs // _PRODUCERS] * _PRODUCERS))
        _await(is_done)
    rate = jobs / (time.perf_counter() - began)
    after = cpu_seconds(parties)
    return Measured(
        rate=rate, spent={name: 1000 * (after[name] - before[name]) / jobs for name in parties}
    )


def _await(is_done: Callable[[], bool]) -> None:
    while not is_done():
        time.sleep(0.01)


def _publish(jobs: int) -> None:
    from benchmarks.noop import noop_task  # noqa: PLC0415 - after the environment is set

    for _ in range(jobs):
        noop_task.delay()


def _none_is_queued() -> bool:
    import settings  # noqa: PLC0415
    from tasks.doorbell import redis_client  # noqa: PLC0415

    with redis_client() as client:
        waiting: int = client.llen(f"{settings.current().redis_prefix}payments")
        return waiting == 0


def _stage(jobs: int) -> None:
    import tasks  # noqa: PLC0415
    from models import job  # noqa: PLC0415
    from models.session import transaction  # noqa: PLC0415

    began = f"{time.monotonic_ns()}:{threading.get_ident()}"
    with tasks.database_app.app_context():
        for number in range(jobs):
            with transaction() as session:
                job.stage(session, "payments.noop", key=f"noop:{began}:{number}")


def _none_is_waiting() -> bool:
    from sqlalchemy import text  # noqa: PLC0415

    import tasks  # noqa: PLC0415
    from models.session import transaction  # noqa: PLC0415

    waiting = text("SELECT 1 FROM job WHERE state IN ('ready', 'leased') LIMIT 1")
    with tasks.database_app.app_context(), transaction() as session:
        return session.scalar(waiting) is None


def _report(rounds: list[tuple[Measured, Measured]]) -> None:
    print(f"{'plain Celery':>14} {'ledger':>10} {'ratio':>7}   jobs a second")
    for plain, ledger in rounds:
        print(f"{plain.rate:14.0f} {ledger.rate:10.0f} {ledger.rate / plain.rate:7.2f}")
    print(f"\n{'plain Celery':>14} {'ledger':>10}   core-ms a job, median")
    for party in rounds[0][0].spent:
        plain_ms, ledger_ms = (
            statistics.median(side.spent[party] for side in sides)
            for sides in zip(*rounds, strict=True)
        )
        print(f"{plain_ms:14.2f} {ledger_ms:10.2f}   {party}")
    ratio = statistics.median(ledger.rate / plain.rate for plain, ledger in rounds)
    print(f"\nmedian ratio {ratio:.2f}, of at least 0.35")


if __name__ == "__main__":
    main()
