"""Ends what a killed runner leaves behind: a small process that notices the runner's death.

The kernel tells each child that the runner is gone, but not the children's children, nor those
that do not listen. The guardian reads the process groups in charge, one line for each change,
from a pipe that breaks with the runner.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

_GRACE_SECONDS = 3
_POLL_SECONDS = 0.1


class Guardian:
    """The runner's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.realpath(__file__)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def watch(self, groups: Iterable[int]) -> None:
        """From now on these process groups, and no others, end with the runner."""
        line = " ".join(map(str, groups)) + "\n"
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()

    def dismiss(self) -> None:
        """There is nothing left to guard."""
        self.watch([])
        self._process.communicate()


def _guard() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        groups = [int(group) for group in line.split()]
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(map(_is_there, groups)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for group in filter(_is_there, groups):
        os.killpg(group, signal.SIGKILL)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    _guard()
