"""All measurements in one run: one table, one JSON, one picture.

`python -m benchmarks [--quick] [--seconds 10] [--out var/bench]`; see docs/performance.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.chart import chart
from benchmarks.paths import PATHS
from benchmarks.rows import Row
from benchmarks.servers import ROOT

_QUICK = ("create", "webhook")
_QUICK_SECONDS = 3.0
_BESIDE = ("ledger", "hot_sku", "edge", "waiting")
_PACKAGES = ("flask", "gunicorn", "celery", "sqlalchemy", "psycopg", "redis", "marshmallow")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="some ratios, within a minute")
    options.add_argument("--seconds", type=float, default=10, help="for each measurement")
    options.add_argument("--out", type=Path, default=ROOT / "var" / "bench")
    given = options.parse_args()
    seconds = _QUICK_SECONDS if given.quick else given.seconds
    rows: list[Row] = []
    for name in _QUICK if given.quick else PATHS:
        found = _measured(name, seconds)
        for row in found:
            print(_line(row), flush=True)
        rows += found
    if given.quick:
        return
    _print_costs(rows)
    _write(given.out, rows)
    for name in _BESIDE:
        print(f"\n{name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=True)


def _measured(name: str, seconds: float) -> list[Row]:
    """What `benchmarks.paths` finds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.paths", name, "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} could not be measured:\n{done.stderr[-3000:]}")
    return [Row(**row) for row in json.loads(done.stdout)]


def _line(row: Row) -> str:
    shown = [f"{row.name:38}{row.rate:9.1f} a second"]
    if row.floor is not None and row.ratio is not None:
        shown.append(f"{row.ratio:5.2f} of {row.floor:.0f}")
    if row.least is not None:
        shown.append(f"({row.least:g} asked: {'met' if row.is_met else 'NOT MET'})")
    if row.percentiles:
        shown.append("  ".join(f"{name} {value:.1f} ms" for name, value in row.percentiles.items()))
    return "  ".join([*shown, *([row.said] if row.said else [])])


def _print_costs(rows: Sequence[Row]) -> None:
    """What one order, or one event, costs: core-milliseconds by party, statements, memory."""
    for row in rows:
        if not row.core_ms:
            continue
        parties = ", ".join(f"{name} {spent:.1f}" for name, spent in row.core_ms.items())
        print(f"\n{row.name}: {sum(row.core_ms.values()):.1f} core-ms each ({parties})")
        counted = ", ".join(f"{name} {times:.1f}" for name, times in row.per_one.items() if times)
        memory = ", ".join(f"{name} {size:.0f}" for name, size in row.memory_mb.items())
        print(f"  {counted}; largest process in MB: {memory}")


def _write(directory: Path, rows: Sequence[Row]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    machine = _machine()
    figures = [{**vars(row), "ratio": row.ratio, "is_met": row.is_met} for row in rows]
    document = {"machine": machine, "rows": figures}
    (directory / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    (directory / "bench.svg").write_text(chart(rows))
    print(f"\nWritten: {directory}/bench.json and bench.svg")


def _machine() -> Mapping[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in _PACKAGES},
    }


if __name__ == "__main__":
    main()
