"""What commands print: a table for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

_WIDEST = 60


def as_json(found: object) -> None:
    """Print one JSON document; times are RFC 3339."""
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def as_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, widest: int | None = _WIDEST
) -> None:
    """Print a line a row under the names of the columns; of long texts, the beginning."""
    lines = [columns, *([_cell(row[name], widest) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def as_list(row: Mapping[str, Any]) -> None:
    """Print a line a field, whole."""
    width = max(map(len, row))
    for name, value in row.items():
        click.echo(f"{name.ljust(width)}  {_text(value)}".rstrip())


def _cell(value: object, widest: int | None) -> str:
    text = " ".join(_text(value).split())
    return text if widest is None or len(text) <= widest else text[: widest - 1] + "…"


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
