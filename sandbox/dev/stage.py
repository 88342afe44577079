"""What runs around the web process: told by the runner, whose child it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import settings
from sandbox.runner import state

_SPARED = "runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The processes and addresses of a running product."""

    addresses: dict[str, str | None]
    processes: dict[str, int]
    controls: dict[str, str]
    """The control surface of each provider that is a stand-in."""

    @property
    def killable(self) -> dict[str, int]:
        """Whatever the runner starts again."""
        return {name: pid for name, pid in self.processes.items() if name != _SPARED}


def present() -> Stage | None:
    """What runs now; None if no runner is there to tell."""
    directory = settings.given("RUN_DIRECTORY")
    running: dict[str, Any] | None = state.read(Path(directory)) if directory else None
    if running is None:
        return None
    return Stage(
        addresses=running["base_urls"],
        processes=running["pids"],
        controls=running["control_urls"],
    )
