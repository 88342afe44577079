"""Run many random schedules on all cores: `python -m tests.schedules [10000] [--seed 7]`."""

import argparse
import os
import secrets
import subprocess
import sys

_SEEDS_OF_A_SHARD = 1_000_000


def main() -> int:
    """Share the schedules out; 0 if none has broken a promise."""
    asked = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    asked.add_argument("schedules", type=int, nargs="?", default=10_000)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    given = asked.parse_args()
    shards = min(os.cpu_count() or 1, given.schedules)
    shares = [
        given.schedules // shards + (number < given.schedules % shards) for number in range(shards)
    ]
    running = [
        _shard(share, given.seed + number * _SEEDS_OF_A_SHARD)
        for number, share in enumerate(shares)
    ]
    return max(shard.wait() for shard in running)


def _shard(schedules: int, first_seed: int) -> subprocess.Popen[bytes]:
    """A process with servers of its own; what fails is printed, with the seed that repeats it."""
    options = [f"--schedules={schedules}", f"--first-seed={first_seed}", "--show-capture=no"]
    tests = "tests/schedules/test_random.py"
    return subprocess.Popen([sys.executable, "-m", "pytest", "-q", "--tb=short", *options, tests])


if __name__ == "__main__":
    sys.exit(main())
