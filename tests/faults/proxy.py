"""A line of TCP on loopback that can be cut, muted or slowed, at a moment that its bytes name."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

_HOST = "127.0.0.1"
_CHUNK = 65_536
_PATIENCE_SECONDS = 20


@dataclass(eq=False, slots=True, kw_only=True)
class Trap:
    """Springs once, on the first connection that says `trigger` after it has said `marker`."""

    marker: bytes
    trigger: bytes
    is_sent: bool
    """Whether the peer gets what sprang the trap; the answer to it is lost in any case."""
    act: Callable[[], object]
    """What happens before the connection is cut."""
    sprung: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Return when the trap has sprung and `act` is over."""
        assert self.sprung.wait(_PATIENCE_SECONDS), f"{self.trigger!r} never came"


class Proxy:
    """Listens on `port` and passes everything on to `target`, a port; `with` closes it."""

    def __init__(self, target: Callable[[], int]) -> None:
        self.target = target
        self.trap: Trap | None = None
        self.is_mute = False
        self.seconds_a_byte = 0.0
        self.haste = threading.Event()
        self._lock = threading.Lock()
        self._lines: set[_Line] = set()
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.haste.set()
        self.cut()
        for line in self._copy():
            line.join()

    def cut(self) -> None:
        """Break every connection."""
        for line in self._copy():
            line.cut()

    @contextlib.contextmanager
    def set_trap(
        self,
        marker: bytes,
        trigger: bytes,
        *,
        is_sent: bool,
        act: Callable[[], object] = lambda: None,
    ) -> Iterator[Trap]:
        """Have a trap wait while the block runs."""
        self.trap = Trap(marker=marker, trigger=trigger, is_sent=is_sent, act=act)
        try:
            yield self.trap
        finally:
            self.trap = None

    @contextlib.contextmanager
    def mute(self) -> Iterator[None]:
        """Half-open: connections stand, new ones too, and nothing that is said gets through."""
        self.is_mute = True
        try:
            yield
        finally:
            self.is_mute = False
            self.cut()  # what was swallowed is missing: no connection can go on

    @contextlib.contextmanager
    def trickle(self, seconds: float) -> Iterator[None]:
        """Answers come byte by byte, with a pause of `seconds` before each."""
        self.haste.clear()
        self.seconds_a_byte = seconds
        try:
            yield
        finally:
            self.seconds_a_byte = 0.0
            self.haste.set()

    def take(self, trap: Trap) -> bool:
        """Whether the trap is there to be sprung; it is not any more."""
        with self._lock:
            is_there = self.trap is trap
            self.trap = None if is_there else self.trap
        return is_there

    def forget(self, line: "_Line") -> None:
        with self._lock:
            self._lines.discard(line)

    def _copy(self) -> list["_Line"]:
        with self._lock:
            return list(self._lines)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((_HOST, self.target()), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            line = _Line(self, client, server)
            with self._lock:
                self._lines.add(line)
            line.start()


class _Line(threading.Thread):
    """One connection: this thread carries what the client says, another what the server does."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__()
        self._proxy = proxy
        self._client = client
        self._server = server
        self._armed: Trap | None = None
        self._answer_is_lost = False
        self._answered = threading.Event()

    def run(self) -> None:
        answers = threading.Thread(target=self._carry_answers)
        answers.start()
        with contextlib.suppress(OSError):
            self._carry_questions()
        self.cut()
        answers.join()
        self._client.close()
        self._server.close()
        self._proxy.forget(self)

    def cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _carry_questions(self) -> None:
        while data := self._client.recv(_CHUNK):
            trap = self._proxy.trap
            if trap is not None and self._springs(trap, data):
                self._spring(trap, data)
                return
            if not self._proxy.is_mute:
                self._server.sendall(data)

    def _springs(self, trap: Trap, data: bytes) -> bool:
        if trap.marker in data:
            self._armed = trap
        return self._armed is trap and trap.trigger in data and self._proxy.take(trap)

    def _spring(self, trap: Trap, data: bytes) -> None:
        if trap.is_sent:
            self._answer_is_lost = True
            self._server.sendall(data)
            self._answered.wait(_PATIENCE_SECONDS)
        trap.act()
        self.cut()
        trap.sprung.set()

    def _carry_answers(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(_CHUNK):
                if self._answer_is_lost:
                    self._answered.set()
                elif not self._proxy.is_mute:
                    self._deliver(data)
        self._answered.set()
        self.cut()

    def _deliver(self, data: bytes) -> None:
        for start in range(len(data)):
            pause = self._proxy.seconds_a_byte
            if not pause:
                self._client.sendall(data[start:])
                return
            self._proxy.haste.wait(pause)
            self._client.sendall(data[start : start + 1])
