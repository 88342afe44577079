"""The benchmarks run, and what they print is what they measured: short forms of `make bench`."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import chart
from benchmarks.load import Seen
from benchmarks.rows import Row

ROOT = Path(__file__).parents[1]


@pytest.mark.wiring
def test_a_path_is_measured_beside_its_floor() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.paths", "create", "--seconds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    rows = [Row(**row) for row in json.loads(done.stdout)]
    assert len(rows) == 2
    assert all(row.rate > 0 and (row.floor or 0) > 0 for row in rows)
    costs = rows[0]
    assert costs.core_ms["web"] > 0
    assert costs.core_ms["PostgreSQL"] > 0
    assert costs.per_one["statements"] > 1
    assert costs.memory_mb["web"] > 20


@pytest.mark.wiring
def test_beyond_capacity_buyers_are_served_or_told_when_to_come_back() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pressure", "crowd", "--seconds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    _, *table = done.stdout.splitlines()
    rows = [[float(cell) for cell in line.split()] for line in table]
    assert [served > 0 for _, served, *_ in rows] == [True] * 4


def test_what_is_asked_is_a_share_of_the_floor_or_a_rate() -> None:
    assert Row(name="a", rate=30, floor=100, least=0.3).is_met
    assert not Row(name="a", rate=29, floor=100, least=0.3).is_met
    assert Row(name="a", rate=130, least=130).is_met
    assert Row(name="a", rate=1, floor=100).is_met is None


def test_percentiles_are_of_the_good_answers() -> None:
    seen = Seen([float(number) for number in range(1, 101)], {"200": 100, "503": 9}, 2.0)

    assert seen.rate == 50
    assert [seen.percentile(percent) for percent in (50, 95, 99, 100)] == [51, 96, 100, 100]
    assert Seen([], {"503": 9}, 2.0).percentile(99) == 0


def test_the_chart_is_a_picture_of_every_path_that_is_held_against_something() -> None:
    rows = [
        Row(name="met <b>", rate=30, floor=100, least=0.3),
        Row(name="missed", rate=3, least=50),
        Row(name="alone", rate=3),
    ]

    picture = ET.fromstring(chart(rows))

    kinds = [bar.get("class") for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert kinds == ["met", "missed"]
    assert "met <b>" in "".join(picture.itertext())
