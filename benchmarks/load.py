"""Clients in a process of their own, each on a connection that it keeps.

`python -m benchmarks.load` reads one task as JSON from standard input, and writes what it saw as
JSON to standard output: how long each request took, in milliseconds, and which status it had. In
the closed form each client asks again as soon as it is answered; with a rate, requests come so
often whether or not the earlier ones are answered, and are measured from the moment they were due.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import scripts
from benchmarks.servers import ROOT

_DRAIN_SECONDS = 20


class Seen(NamedTuple):
    """What all clients together saw, and for how long."""

    milliseconds: Sequence[float]
    """Of the answers that were as they should be, sorted."""
    statuses: Mapping[str, int]
    seconds: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        """Within how many milliseconds so many of the good answers came."""
        most = min(int(len(self.milliseconds) * percent / 100), len(self.milliseconds) - 1)
        return self.milliseconds[most] if self.milliseconds else 0.0


def run(
    script: str,
    *,
    clients: int,
    seconds: float,
    rate: float | None = None,
    processes: int = 1,
    **told: Any,
) -> Seen:
    """Have so many clients, over all processes, follow a script of `benchmarks.scripts`."""
    tasks = [
        {
            "script": script,
            "clients": clients // processes,
            "seconds": seconds,
            "rate": rate and rate / processes,
            "told": {**told, "number": number},
        }
        for number in range(processes)
    ]
    command = [sys.executable, "-m", "benchmarks.load"]
    crowds = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in tasks
    ]
    for crowd, task in zip(crowds, tasks, strict=True):
        assert crowd.stdin is not None
        crowd.stdin.write(json.dumps(task))
        crowd.stdin.close()
    return _together([json.loads(_all_of(crowd)) for crowd in crowds], seconds)


def _all_of(crowd: "subprocess.Popen[str]") -> str:
    assert crowd.stdout is not None
    said = crowd.stdout.read()
    assert crowd.wait() == 0, "the clients have failed"
    return said


def _together(seen: Sequence[Mapping[str, Any]], seconds: float) -> Seen:
    statuses: Counter[str] = Counter()
    for each in seen:
        statuses.update(each["statuses"])
    took = sorted(one for each in seen for one in each["milliseconds"])
    return Seen(took, dict(statuses), seconds)


async def _follow(task: Mapping[str, Any]) -> dict[str, Any]:
    script: scripts.Script = getattr(scripts, task["script"])
    took: list[float] = []
    statuses: Counter[str] = Counter()
    began = time.perf_counter()
    ends = began + task["seconds"]
    every = task["clients"] / task["rate"] if task["rate"] else 0.0

    async def follow(number: int) -> None:
        due = began + every * number / task["clients"]
        async with script(task["told"], number) as act:
            while (due := max(due, time.perf_counter()) if not every else due) < ends:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                status, good = await act()
                answered = time.perf_counter()
                statuses[str(status)] += 1
                if good and answered <= ends + (_DRAIN_SECONDS if every else 0):
                    took.append(1000 * (answered - due))
                due = due + every if every else answered

    await asyncio.gather(*(follow(number) for number in range(task["clients"])))
    return {"milliseconds": took, "statuses": statuses}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_follow(json.load(sys.stdin)))))
