"""Locks of the file system: the kernel frees them however their holder ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.02


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[IO[str]]:
    """Hold the lock `path` and yield its open file, or raise TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    with path.open("a+") as file:
        while not _take(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(_POLL_SECONDS)
        yield file


def held(path: Path) -> bool:
    """Whether somebody holds the lock at this moment."""
    if not path.exists():
        return False
    with path.open() as file:
        return not _take(file, fcntl.LOCK_SH)


def _take(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
