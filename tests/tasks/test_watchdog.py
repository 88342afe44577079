"""A worker whose job or memory is out of bounds ends itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.watchdog import Watchdog

ROOT = Path(__file__).parents[2]
HANGING = """
import threading, time
from tasks.watchdog import Watchdog

dog = Watchdog(job_seconds={seconds}, memory_bytes={memory})
dog.start()
with dog.watching(7):
    time.sleep(60)
"""


def _run(seconds: float, memory: int) -> subprocess.CompletedProcess[str]:
    script = HANGING.format(seconds=seconds, memory=memory)
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_process_with_a_job_that_hangs_is_ended() -> None:
    ended = _run(seconds=0.2, memory=0)

    assert ended.returncode == 70
    assert "job 7 is" in ended.stderr


def test_a_process_that_holds_too_much_memory_is_ended() -> None:
    ended = _run(seconds=3600, memory=2**20)

    assert ended.returncode == 70
    assert "MB" in ended.stderr


def test_a_job_within_its_bounds_is_left_alone_and_forgotten_when_it_ends() -> None:
    dog = Watchdog(job_seconds=0.0, memory_bytes=0)

    with dog.watching(7):
        assert dog.trouble() is not None
    assert dog.trouble() is None


def test_the_job_of_another_thread_is_seen_too() -> None:
    from threading import Event, Thread  # noqa: PLC0415

    dog = Watchdog(job_seconds=0.0, memory_bytes=0)
    inside, leave = Event(), Event()

    def work() -> None:
        with dog.watching(8):
            inside.set()
            leave.wait(10)

    thread = Thread(target=work)
    thread.start()
    inside.wait(10)
    try:
        with dog.watching(9):
            pass
        trouble = dog.trouble()
    finally:
        leave.set()
        thread.join()

    assert trouble is not None
    assert trouble.startswith("job 8")


@pytest.mark.usefixtures("app")
def test_every_job_of_a_worker_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import base, worker  # noqa: PLC0415
    from tests import jobs  # noqa: PLC0415

    watched: list[int] = []

    def work_that_looks(work: base.Work) -> None:
        watched.extend(job for job, _ in worker.watchdog._jobs.values())
        work.skip("seen")

    jobs.declare(monkeypatch, work_that_looks)
    job_id = jobs.stage()

    base.perform(job_id)

    assert watched == [job_id]
