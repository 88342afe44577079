"""How much memory the largest web process has, and whether it grows with the requests it takes.

`python -m benchmarks.memory [--requests 100000] [--steps 10]` places orders and sends webhooks by
turns, in all so many, and prints a line for each step.
"""

import argparse

from benchmarks.parties import memory_mb
from benchmarks.product import PROCESSES, Web, web

LIMIT_MB = 120
_CLIENTS = 16
_TURN_SECONDS = 5
_SCRIPTS = ("create", "acknowledge")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=100_000)
    options.add_argument("--steps", type=int, default=10)
    given = options.parse_args()
    with web(PROCESSES) as product:
        print(f"{'requests':>9}{'MB':>8}   at most {LIMIT_MB}, and flat")
        taken = 0
        for step in range(given.steps + 1):
            while taken < given.requests * step / given.steps:
                taken += _turn(product)
            print(f"{taken:9}{memory_mb(product.parties)['web']:8.1f}", flush=True)


def _turn(product: Web) -> int:
    """How many requests were taken, each as it should be."""
    taken = 0
    for script in _SCRIPTS:
        seen = product.load(script, clients=_CLIENTS, seconds=_TURN_SECONDS)
        assert set(seen.statuses) <= {"200", "201"}, seen.statuses
        taken += sum(seen.statuses.values())
    return taken


if __name__ == "__main__":
    main()
