"""What dies is started again, the later the more often it died."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import settings
from sandbox.embedded import ServerError
from sandbox.runner.guardian import Guardian

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = "30"
_HEALTHY_SECONDS = 30


class Supervised(Protocol):
    name: str
    log: Path

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None: ...


@dataclass(slots=True)
class _Watch:
    process: Supervised
    started_at: float
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """Keeps processes running; to be called from the one thread that starts them all."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._guardian = Guardian()
        self._watches: list[_Watch] = []
        self._longest = float(settings.given("RESTART_CAP_SECONDS") or _LONGEST_BACKOFF_SECONDS)

    def start(self, process: Supervised) -> None:
        process.start()
        self._watches.append(_Watch(process, time.monotonic()))
        self._guardian.watch(self.pids().values())

    def pids(self) -> dict[str, int]:
        """The process ids of what runs now, by name."""
        return {watch.process.name: pid for watch in self._watches if (pid := watch.process.pid)}

    def tend(self) -> None:
        """Notice who died and start again whoever is due."""
        now = time.monotonic()
        for watch in self._watches:
            if watch.restart_at is not None:
                self._restart_if_due(watch, now)
            elif watch.process.pid is None:
                self._schedule(watch, now)

    def dismiss(self) -> None:
        """All have been stopped; nothing is kept running any more."""
        self._guardian.dismiss()

    def _schedule(self, watch: _Watch, now: float) -> None:
        if now - watch.started_at > _HEALTHY_SECONDS:
            watch.deaths = 0
        pause = min(_FIRST_BACKOFF_SECONDS * 2**watch.deaths, self._longest)
        watch.deaths += 1
        watch.restart_at = now + pause
        self._guardian.watch(self.pids().values())
        self._say(f"{watch.process.name} has ended; again in {pause:g} s ({watch.process.log})")

    def _restart_if_due(self, watch: _Watch, now: float) -> None:
        if watch.restart_at is None or now < watch.restart_at:
            return
        watch.restart_at = None
        watch.started_at = now
        try:
            watch.process.start()
        except ServerError as error:
            self._say(str(error))
        self._guardian.watch(self.pids().values())
