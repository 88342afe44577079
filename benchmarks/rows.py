"""What a benchmark found: one row for each path."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.load import Seen
from benchmarks.watching import Watched


@dataclass(kw_only=True)
class Row:
    """A path: what it does in a second, what its floor does, and what it costs."""

    name: str
    rate: float
    floor: float | None = None
    least: float | None = None
    """What the ratio of the two must be, or without a floor the rate."""
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of an answer."""
    core_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of a core for one of them, by party."""
    per_one: Mapping[str, float] = field(default_factory=dict)
    """Statements and transactions for one of them."""
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    said: str = ""

    @property
    def ratio(self) -> float | None:
        return self.rate / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        if self.least is None:
            return None
        return (self.rate if self.floor is None else self.rate / self.floor) >= self.least


def of(
    name: str, seen: Seen, floor: float, least: float | None, watched: Watched | None = None
) -> Row:
    """A row of what clients saw, beside what they saw of the floor."""
    row = Row(name=name, rate=seen.rate, floor=floor, least=least)
    return costed(row, seen, watched or Watched(), len(seen.milliseconds))


def costed(row: Row, seen: Seen, watched: Watched, times: int) -> Row:
    """The same row, with what so many of them took and cost."""
    row.percentiles = percentiles(seen)
    for name, value in watched.costs(times).items():
        setattr(row, name, value)
    bad = {status: times for status, times in seen.statuses.items() if not status.startswith("2")}
    row.said = "; ".join(filter(None, (row.said, f"also answered: {bad}" if bad else "")))
    return row


def percentiles(seen: Seen) -> dict[str, float]:
    """Milliseconds, by name."""
    return {f"p{percent}": seen.percentile(percent) for percent in (50, 95, 99)}
