"""Run a command that ends when the process that started it ends, as another account if asked.

The kernel's parent-death signal has to be asked for inside the child. Python between fork and
exec can deadlock in a program with threads, so the child becomes this script first and the
command next. The kernel watches the parent's *thread*: whoever starts a tethered command must
do so from a thread that lives as long as the command should. Elsewhere than on Linux there is
no such signal and the command runs untethered.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1


class Account(NamedTuple):
    uid: int
    gid: int


def tethered(
    command: Sequence[str], signum: signal.Signals = signal.SIGTERM, account: Account | None = None
) -> list[str]:
    """The command line that runs `command` and sends it `signum` when this process is gone."""
    uid, gid = account or (os.getuid(), os.getgid())
    script = [sys.executable, "-I", "-S", os.path.realpath(__file__)]
    return [*script, str(os.getpid()), str(int(signum)), str(uid), str(gid), *command]


def _become(uid: int, gid: int) -> None:
    if uid != os.getuid():
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)


def main(parent: int, signum: int, uid: int, gid: int, command: list[str]) -> None:
    _become(uid, gid)  # first: a change of credentials clears the parent-death signal
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:
            sys.exit(f"{command[0]}: the process that wanted it is gone")
    os.execvp(command[0], command)  # noqa: S606 - the caller's own list of arguments, no shell


if __name__ == "__main__":
    PARENT, SIGNUM, UID, GID = map(int, sys.argv[1:5])
    main(PARENT, SIGNUM, UID, GID, sys.argv[5:])
