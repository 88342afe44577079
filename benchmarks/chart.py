"""A picture of the measured ratios: a bar for each path, and a mark where it must reach."""

from collections.abc import Sequence
from html import escape

from benchmarks.rows import Row

_WIDTH, _LEFT, _STEP, _BAR = 760, 300, 30, 16
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.met{fill:#2f7d4f}.missed{fill:#b5482f}"
    ".none{fill:#7a869a}.asked{stroke:#111;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.asked{stroke:#fff}}"
)


def chart(rows: Sequence[Row]) -> str:
    """An SVG of every row that has something to be held against."""
    held = [(row, _share(row)) for row in rows if _share(row) is not None]
    height = _STEP * len(held) + 20
    bars = "".join(_bar(row, share or 0.0, _STEP * n + 10) for n, (row, share) in enumerate(held))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Measured paths as a share of what is asked">'
        f"<style>{_STYLE}</style>{bars}</svg>\n"
    )


def _share(row: Row) -> float | None:
    """How far it reaches: 1 is just what is asked, or the floor where nothing is."""
    reached = row.rate if row.floor is None else row.rate / row.floor
    if row.least:
        return reached / row.least
    return row.ratio


def _bar(row: Row, share: float, y: int) -> str:
    room = (_WIDTH - _LEFT - 110) / 2  # what is asked stands in the middle
    width = round(min(share, 2.0) * room, 1)
    kind = {True: "met", False: "missed", None: "none"}[row.is_met]
    shown = f"{row.rate:.0f}/s" if row.ratio is None else f"{row.ratio:.2f}"
    mark = _LEFT + room
    return (
        f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(row.name)}</text>'
        f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" rx="2"/>'
        f'<line class="asked" x1="{mark}" x2="{mark}" y1="{y - 3}" y2="{y + _BAR + 3}"/>'
        f'<text x="{_LEFT + width + 6}" y="{y + 13}">{shown}</text>'
    )
