"""Plots are shapes whose heights are the numbers."""

import re

import pytest

from web.desk import plot, words


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (5, 10), (11, 20), (41, 100), (1667, 2000)]
)
def test_a_plot_ends_at_a_round_number(most: float, top: float) -> None:
    assert plot.frame([0, most]).top == top


@pytest.mark.parametrize(
    ("most", "written"),
    [(1, "2 s"), (59, "1 m"), (200, "10 m"), (3601, "2 h"), (90_000, "48 h"), (200_000, "96 h")],
)
def test_a_plot_of_time_ends_at_a_round_span(most: float, written: str) -> None:
    assert words.short_span(plot.frame_of_time([most, None]).top) == written


def test_bars_are_as_high_as_their_numbers_and_zero_is_none() -> None:
    frame = plot.frame([0, 1, 2])
    half, whole = frame.bars([0, 1, 2])
    assert whole.height == pytest.approx(2 * half.height, abs=0.2)
    assert half.x < whole.x
    assert half.y + half.height == pytest.approx(whole.y + whole.height)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    path = plot.frame_of_time([1, 2, None, 1]).line([1, 2, None, 1])
    assert re.findall("[MLh]", path) == ["M", "h", "L", "M", "h"]
