"""What is known of a running product outside of its runner: `var/run.json`, and who runs it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.embedded import write_private
from sandbox.locks import held, locked

State = dict[str, Any]
_SECONDS = 1  # a look at the lock holds it for a moment


class AlreadyRunningError(Exception):
    """Another runner has this directory."""


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """Be the one runner of `var`, or raise AlreadyRunningError."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with locked(_lock(var), _SECONDS) as file:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
    except TimeoutError as error:
        raise AlreadyRunningError(
            f"It runs already, as process {runner_pid(var)}: make down stops it."
        ) from error


def runner_pid(var: Path) -> int | None:
    """The process id of the runner; only a living runner holds the lock that it is written in."""
    return int(_lock(var).read_text() or 0) or None if held(_lock(var)) else None


def write(var: Path, state: State) -> None:
    write_private(_file(var), json.dumps(state, indent=2) + "\n")


def read(var: Path) -> State | None:
    """The state of the running product, or None while it is not ready."""
    if not _file(var).exists():
        return None
    state: State = json.loads(_file(var).read_text())
    return state if state["pids"]["runner"] == runner_pid(var) else None  # not a killed runner's


def remove(var: Path) -> None:
    _file(var).unlink(missing_ok=True)


def _file(var: Path) -> Path:
    return var / "run.json"


def _lock(var: Path) -> Path:
    return var / "run.lock"
