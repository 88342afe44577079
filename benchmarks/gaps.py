"""What tells one copy of a story from another: a row's text with a gap for each of these."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar, NamedTuple

FIRST_ID = "1{:02}00000000001"
"""By the number of its table; any text that has such a number in it names that row."""


class Copy(NamedTuple):
    """Its number, the first id of each table, how long ago it is, and the items there are."""

    number: int
    first: Mapping[str, int]
    hours_ago: int
    items: Sequence[tuple[int, str]]

    def item(self, number: int) -> tuple[int, str]:
        return self.items[(number + self.number) % len(self.items)]


Gap = Callable[[Copy], object]


class Reader:
    """Reads rows that `FIRST_ID` marks, and says what of them is a copy's own."""

    ID: ClassVar = re.compile(r"(?<!\d)1(\d\d)000(\d{8})(?!\d)")

    def __init__(self, tables: Sequence[str], names: set[str], item_ids: Sequence[int]) -> None:
        self._tables = tables
        self._items = {str(item_id): number for number, item_id in enumerate(item_ids)}
        longest_first = sorted(names, key=len, reverse=True)
        told = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._own = re.compile(
            rf"(?P<name>{told})"
            r"|(?P<hour>\b\d{4}-\d\d-\d\d \d\d)(?=:\d\d:\d\d(?:\.\d+)?\+00)"
            rf"|(?P<id>{self.ID.pattern})"
        )

    def line(self, columns: Sequence[str], row: Sequence[str], gaps: list[Gap]) -> str:
        """The row as a format, to be filled by what is added to `gaps`."""
        cells = dict(zip(columns, row, strict=True))
        item = self._items.get(cells.get("item_id", ""), 0)
        for column, cell in cells.items():
            if column in ("item_id", "product_sku"):
                gaps.append(_item(item, is_sku=column == "product_sku"))
                cells[column] = "%s"
            else:
                cells[column] = "".join(self._pieces(cell, gaps))
        return "\t".join(cells.values()) + "\n"

    def _pieces(self, cell: str, gaps: list[Gap]) -> Iterator[str]:
        end = 0
        for found in self._own.finditer(cell):
            yield cell[end : found.start()].replace("%", "%%") + "%s"
            gaps.append(self._gap(found))
            end = found.end()
        yield cell[end:].replace("%", "%%")

    def _gap(self, found: "re.Match[str]") -> Gap:
        if name := found["name"]:
            return _name(name)
        if hour := found["hour"]:
            return lambda copy: _earlier(hour, copy.hours_ago)
        marked = self.ID.fullmatch(found["id"])
        assert marked
        table, offset = self._tables[int(marked[1])], int(marked[2]) - 1
        return lambda copy: copy.first[table] + offset


def _item(number: int, *, is_sku: bool) -> Gap:
    return lambda copy: copy.item(number)[is_sku]


def _name(name: str) -> Gap:
    """An address of mail ends as it did, all else begins so."""
    own = "{0:08}-" + name if "@" in name else name + "-{0:08}"
    return lambda copy: own.format(copy.number)


@cache
def _earlier(hour: str, hours: int) -> str:
    then = datetime.strptime(f"{hour} +0000", "%Y-%m-%d %H %z") - timedelta(hours=hours)
    return then.strftime("%Y-%m-%d %H")
