"""What the ledger costs: stage → ring → claim → finish, beside plain Celery, in one run.

`python -m benchmarks.ledger [--jobs 3000] [--rounds 3]` starts a PostgreSQL with full
durability, a Valkey and two worker processes, and prints both rates of each round and their
ratio. Both sides use the same broker, workers, producing threads and settings: early ack, no
prefetch.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.servers import PostgreSQL, Valkey

ROOT = Path(__file__).parents[1]
_WORKERS = 2
_PRODUCERS = 4  # threads, as of a web process
_WORKER = (
    "celery --app tasks worker --include benchmarks.noop --pool threads --concurrency 4"
    " --queues payments --without-gossip --without-mingle --without-heartbeat --loglevel error"
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        postgresql = stack.enter_context(PostgreSQL(directory / "postgresql"))
        stack.callback(postgresql.destroy)
        valkey = stack.enter_context(Valkey(directory / "valkey"))
        _set_environment(postgresql.url, valkey.url)
        _migrate()
        for number in range(_WORKERS):
            stack.enter_context(_worker(number))
        _report([_round(given.jobs) for _ in range(given.rounds)])


def _set_environment(database_url: str, redis_url: str) -> None:
    os.environ.update(
        APP_ENV="development",
        DATABASE_URL=database_url,
        REDIS_URL=redis_url,
        CELERY_BROKER_URL=redis_url,
        LOG_LEVEL="ERROR",
    )


def _migrate() -> None:
    command = [sys.executable, "-m", "flask", "--app", "web", "db", "upgrade"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _worker(number: int) -> Iterator[None]:
    command = [sys.executable, "-m", *_WORKER.split(), "--hostname", f"bench{number}@%h"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _round(jobs: int) -> tuple[float, float]:
    """Jobs a second: plain Celery's and the ledger's."""
    return _rate(jobs, _publish, _none_is_queued), _rate(jobs, _stage, _none_is_waiting)


def _rate(jobs: int, produce: Callable[[int], None], is_done: Callable[[], bool]) -> float:
    with ThreadPoolExecutor(_PRODUCERS) as producers:
        list(producers.map(produce, [20] * _PRODUCERS))
        _await(is_done)  # connections are open and code is warm
        began = time.perf_counter()
        list(producers.map(produce, [jobs // _PRODUCERS] * _PRODUCERS))
        _await(is_done)
    return jobs / (time.perf_counter() - began)


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


def _report(rounds: list[tuple[float, float]]) -> None:
    print(f"{'plain Celery':>14} {'ledger':>10} {'ratio':>7}   jobs a second")
    for plain, ledger in rounds:
        print(f"{plain:14.0f} {ledger:10.0f} {ledger / plain:7.2f}")
    ratio = statistics.median(ledger / plain for plain, ledger in rounds)
    print(f"median ratio {ratio:.2f}, of at least 0.35")


if __name__ == "__main__":
    main()
