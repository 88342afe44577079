"""One program of the product as a process group of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.tether import tethered

_POLL_SECONDS = 0.05


class Program:
    """A command that writes to `log`; asked to stop, it gets `patience` seconds to do so."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        patience: float = 5,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        log.unlink(missing_ok=True)  # a log tells of one run

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self._command),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # a Ctrl-C in the terminal is for the runner, which stops in order
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self.exit_code is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    @property
    def exit_code(self) -> int | None:
        """None until the program has ended; by then nothing of its process group is left."""
        process = self._process
        if process and process.returncode is None and _has_ended(process.pid):
            self._kill_group(process.pid)  # before it is reaped its number cannot be another's
            process.wait()
        return process.returncode if process else None

    def terminate(self) -> None:
        """Ask the program to finish what it does and end."""
        if pid := self.pid:
            os.kill(pid, signal.SIGTERM)

    def wait(self) -> None:
        """Return when the program has ended, by force once its patience is over."""
        deadline = time.monotonic() + self._patience
        while pid := self.pid:
            if time.monotonic() > deadline:
                self._kill_group(pid)
            time.sleep(_POLL_SECONDS)

    @staticmethod
    def _kill_group(pid: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: a group of the dead alone
            os.killpg(pid, signal.SIGKILL)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
