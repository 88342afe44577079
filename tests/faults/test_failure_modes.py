"""docs/failure-modes.md tells of every fault, and names tests that exist."""

import re
from pathlib import Path

from tests.faults.profile import FAULT_PROFILE

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "failure-modes.md").read_text()

_FIRST_OUTSIDE = 38


def _rows() -> list[list[str]]:
    """The cells of each fault's row."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if re.match(r"\| \d+ \|", line)
    ]


def test_every_fault_is_on_the_page_once_with_all_that_is_to_be_said() -> None:
    rows = _rows()
    assert [int(row[0]) for row in rows] == list(range(1, 59))
    assert all(len(row) == 6 and all(row) for row in rows)


def test_every_test_that_the_page_names_exists_and_bears_its_number() -> None:
    written = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    exist = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    for number, *_, shown in _rows():
        names = re.findall(r"`(test_\w+)`", shown)
        assert names
        assert exist >= set(names)
        numbered = [name for name in names if re.match(r"test_\d", name)]
        assert all(f"_{int(number):02}_" in name for name in numbered)


def test_every_fault_of_the_world_outside_has_a_test_that_takes_its_guard_away() -> None:
    for number, *_, shown in _rows():
        if int(number) >= _FIRST_OUTSIDE:
            assert re.search(r"`test_\w+_control_\w+`", shown), number


def test_every_test_of_a_fault_is_on_the_page() -> None:
    here = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in re.findall(r"^def (test_\d\d_\w+)", here, re.MULTILINE):
        assert f"`{name}`" in PAGE, name


def test_the_fault_profile_is_on_the_page() -> None:
    profile = re.search(r"\| variable \| value \|\n.*?\n\n", PAGE, re.DOTALL)
    assert profile
    shown = re.findall(r"\| `(\w+)` \| `([\d.]+)` \|", profile[0])
    assert dict(shown) == dict(FAULT_PROFILE)
