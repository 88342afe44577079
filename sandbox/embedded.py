"""A server of a wheel as our own foreground child on loopback, whose data survive its end."""

import errno
import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Self

from sandbox.locks import locked
from sandbox.tether import Account, tethered

HOST = "127.0.0.1"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # nothing of ours leaks into a server
_BELOW_EPHEMERAL = range(20_000, 32_000)  # no outgoing connection takes a port from here
_START_SECONDS = 30
_STOP_SECONDS = 20
_POLL_SECONDS = 0.02


class ServerError(Exception):
    """A server cannot be started; the message says which, why, and what to do."""


def free_port(preferred: int | None = None) -> int:
    """`preferred` or the next port above it that is free on loopback; without it, any free one.

    Until this process ends no other that asks here is given the same, bound or not.
    """
    first = preferred or secrets.choice(_BELOW_EPHEMERAL)
    return next(port for port in range(first, 65_536) if _is_free(port) and _is_claimed(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _is_claimed(port: int) -> bool:
    """Claim the port for this process: two that start at once both find it free."""
    directory = Path(tempfile.gettempdir(), f"orders-sandbox-{os.getuid()}")
    directory.mkdir(mode=0o700, exist_ok=True)
    claim = os.open(directory / f"port-{port}", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        return False
    return True  # it stays open, and the kernel frees it when this process ends


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        raise ServerError(f"The package {name} is not installed: make run installs it.")
    return Path(spec.origin).parent


def write_private(path: Path, text: str) -> None:
    """Replace `path` at once by a file that only its owner can read."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)


class Server(ABC):
    """One server process on 127.0.0.1 whose data stay in `directory`; also a context manager."""

    name: str
    stop_signal = signal.SIGTERM
    account: Account | None = None

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.log = self.directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with the password in it."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    def start(self) -> None:
        """Return once the server answers, or raise ServerError with the last words of its log."""
        if not self.running:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._launch_alone()
            self._await_answer()

    def stop(self) -> None:
        """End the server in order; one that does not end in time is killed."""
        if self._process and self.running:
            self._process.send_signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def destroy(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def prepare(self) -> None:
        """Make everything that the first start needs; nothing at later starts."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line, free of secrets."""

    @abstractmethod
    def answers(self) -> bool: ...

    def configuration(self) -> str:
        """What the server reads from its standard input."""
        return ""

    def _launch_alone(self) -> None:
        """The server inherits the lock: nobody gets it before the last of its processes is gone."""
        try:
            with locked(self.directory / "lock", _START_SECONDS) as lock:
                self.prepare()
                self._launch(lock.fileno())
        except TimeoutError as error:
            raise ServerError(f"{self.name} runs already in {self.directory}.") from error

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.name} does not start ({self.log}):\n{self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def _launch(self, lock: int) -> None:
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = process = self._spawn(log.fileno(), lock)
        if process.stdin:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(self.configuration().encode())

    def _spawn(self, log: int, lock: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            tethered(self.command(), self.stop_signal, self.account),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=[lock],
            process_group=0,  # a Ctrl-C in the terminal is for us; we stop our children in order
        )

    def _last_words(self) -> str:
        written = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return "\n".join(written.splitlines()[-5:])
