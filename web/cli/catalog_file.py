"""`flask catalog import|export`: many items at once, as CSV."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeVar

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import IntegrityError, OperationalError

from models import catalogue, importing
from models.importing import Fault, Outcome, Row
from models.session import transaction
from models.stock import StockItem
from web.cli import catalog_csv

T = TypeVar("T")

_BATCH = 2000
_MOST_SHOWN = 50


@click.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--dry-run", "is_dry", is_flag=True, help="Change nothing; say what would be.")
@click.option("--why", default="imported", help="For journal and movements.")
@with_appcontext
def import_(file: TextIO, why: str, *, is_dry: bool) -> None:
    """Create and change items as FILE says (- for standard input): all of its rows, or none.

    What FILE does not name stays as it is. If an item has changed since FILE was exported, FILE
    wins; leave the cells of `stock` empty to keep the units that there are.
    """
    rows, faults = _read(file)
    if not faults:
        outcome, faults = _apply(rows, why, is_dry=is_dry)
    if faults:
        _refuse(faults)
    would = "would be " if is_dry else ""
    said = f"{would}created, {outcome.changed} {would}changed, {outcome.unchanged} stay as they are"
    click.echo(f"{outcome.created} {said}.")


@click.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8", atomic=True), default="-")
@click.option("--archived", "is_archived", is_flag=True, help="What is not sold any more instead.")
@with_appcontext
def export(file: TextIO, *, is_archived: bool) -> None:
    """Write the catalogue to FILE, or to standard output."""
    number = catalog_csv.write(file, _with_progress(_items(is_archived=is_archived), "Exporting"))
    click.echo(f"{number} items.", err=True)


def _read(file: TextIO) -> tuple[list[Row], list[Fault]]:
    rows: list[Row] = []
    faults: list[Fault] = []
    try:
        for found in _with_progress(catalog_csv.read(file), "Reading"):
            rows.append(found) if isinstance(found, Row) else faults.append(found)
    except (catalog_csv.HeaderError, csv.Error, UnicodeDecodeError) as error:
        raise click.ClickException(f"This is no CSV in UTF-8 as it is needed: {error}") from None
    return rows, faults


def _apply(rows: Sequence[Row], why: str, *, is_dry: bool) -> tuple[Outcome, list[Fault]]:
    try:
        with transaction() as session:
            batches = _with_progress(_batches(rows), "Comparing")
            return importing.bring(session, batches, is_dry=is_dry, who="cli", why=why)
    except (IntegrityError, OperationalError):
        raise click.ClickException(
            "Somebody is at these items at this moment. Nothing was changed: try again."
        ) from None


def _refuse(faults: Sequence[Fault]) -> None:
    for fault in sorted(faults)[:_MOST_SHOWN]:
        click.echo(f"row {fault.number}: {fault.what}", err=True)
    more = len(faults) - _MOST_SHOWN
    if more > 0:
        click.echo(f"… and {more} more", err=True)
    raise click.ClickException(f"Nothing was changed: {len(faults)} rows are at fault.")


def _batches(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _items(*, is_archived: bool) -> Iterator[StockItem]:
    wanted, last = catalogue.Filter(is_archived=is_archived), None
    while True:
        with transaction() as session:
            found = catalogue.listing(session, wanted, limit=_BATCH, after=last)
        if not found:
            return
        yield from found
        last = found[-1].sku


def _with_progress(steps: Iterable[T], label: str) -> Iterator[T]:
    """The steps, with a bar on a terminal."""
    is_seen = sys.stderr.isatty()
    with click.progressbar(steps, label=label, file=sys.stderr, hidden=not is_seen) as bar:
        yield from bar
