"""Plots as shapes: what a template draws as SVG, without a script."""

import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 22, 10, 22
_LEAST_SHOWN = 0.6


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Tick(NamedTuple):
    y: float
    value: float


class Frame(NamedTuple):
    """The room of a plot of so many columns whose values go from zero to `top`."""

    columns: int
    top: float

    @property
    def ticks(self) -> list[Tick]:
        """The lines across: zero, the middle, the top."""
        return [Tick(self.y(value), value) for value in (0, self.top / 2, self.top)]

    @property
    def step(self) -> float:
        return (WIDTH - _LEFT - _RIGHT) / self.columns

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / self.top, 1)

    def x(self, column: int) -> float:
        """The middle of a column."""
        return round(_LEFT + self.step * (column + 0.5), 1)

    def bars(self, values: Sequence[float]) -> list[Bar]:
        """One bar for each value; what is little is seen all the same, zero is not."""
        width, floor = round(self.step * 0.72, 1), HEIGHT - _BOTTOM
        return [
            Bar(
                round(self.x(column) - width / 2, 1),
                min(self.y(value), floor - _LEAST_SHOWN),
                width,
                max(floor - self.y(value), _LEAST_SHOWN),
            )
            for column, value in enumerate(values)
            if value > 0
        ]

    def line(self, values: Sequence[float | None]) -> str:
        """A path through the values, broken where there is none; a lone one is a dot."""
        path, is_down = [], False
        for column, value in enumerate(values):
            if value is not None:
                path.append(f"{'L' if is_down else 'M'}{self.x(column)} {self.y(value)}")
                path.extend(["h0"] if not is_down else [])
            is_down = value is not None
        return "".join(path)


_SPANS = (2, 10, 20, 60, 120, 600, 1200, 3600, 7200, 21_600, 43_200, 86_400)
"""Seconds whose half is as easily read."""


def frame(values: Sequence[float]) -> Frame:
    """Room for these values, up to a round number."""
    return Frame(columns=len(values), top=_round_up(max(values, default=0)))


def frame_of_time(values: Sequence[float | None]) -> Frame:
    """Room for these seconds, up to a round span of time; whole days if they are more."""
    most = max((value for value in values if value is not None), default=0)
    days = 2 * _SPANS[-1] * math.ceil(most / _SPANS[-1] / 2)
    return Frame(columns=len(values), top=next((each for each in _SPANS if each >= most), days))


def _round_up(value: float) -> float:
    """The next of 2, 4, 10, 20, 40, 100, …, so that its half is round, too."""
    if value <= 2:  # noqa: PLR2004
        return 2
    size: float = 10 ** math.floor(math.log10(value))
    return next(size * each for each in (1, 2, 4, 10) if size * each >= value)
