"""What each party of a measurement spends of the machine, read from Linux' /proc."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")  # a second, in /proc

Parties = Mapping[str, Sequence[int | None]]
"""Process ids by what they do here; None of a server that has ended."""


def cpu_seconds(parties: Parties) -> dict[str, float]:
    """What each party and its descendants, but no other party, have spent of a core so far."""
    return {name: sum(map(_spent_by, pids)) for name, pids in _with_descendants(parties).items()}


def memory_mb(parties: Parties) -> dict[str, float]:
    """The largest process of each party: its memory, what it shares with others included."""
    return {
        name: max(map(_resident, pids), default=0.0)
        for name, pids in _with_descendants(parties).items()
    }


def _with_descendants(parties: Parties) -> dict[str, set[int]]:
    named = {pid for pids in parties.values() for pid in pids if pid}
    return {
        name: {each for pid in pids if pid for each in _family(pid, besides=named - {pid})}
        for name, pids in parties.items()
    }


def _family(pid: int, besides: set[int]) -> set[int]:
    found = {pid}
    for child in _children(pid) - besides:
        found |= _family(child, besides)
    return found


def _children(pid: int) -> set[int]:
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return {int(child) for task in tasks for child in _read(task / "children").split()}
    return set()


def _spent_by(pid: int) -> float:
    """Of itself, and of children that have ended and been waited for."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _resident(pid: int) -> float:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(path: Path) -> str:
    """What is there, or nothing: a process may end at any moment."""
    try:
        return path.read_text()
    except OSError:
        return ""
