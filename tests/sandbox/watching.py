"""Watch processes and conditions from outside, within bounds."""

import subprocess
import time
from collections.abc import Callable

_SECONDS = 20
_POLL_SECONDS = 0.05


def eventually(condition: Callable[[], object]) -> bool:
    """Whether the condition comes true within a generous bound."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def is_alive(pid: int) -> bool:
    """Whether the process exists and is more than an entry that nobody has reaped."""
    return _ps("stat", pid)[:1] not in ("", "Z")


def command_line(pid: int) -> str:
    return _ps("args", pid)


def owner(pid: int) -> str:
    return _ps("user", pid)


def _ps(column: str, pid: int) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
