"""Many items at once from a CSV file: first as it would be, then as it is."""

import csv
import io
from collections.abc import Iterator, Sequence

from flask import Response, request
from sqlalchemy.exc import IntegrityError, OperationalError

from models import importing
from models.importing import Fault, Outcome, Row
from models.session import transaction
from web import callers
from web.cli import catalog_csv
from web.desk.frame import allows, blueprint, render
from web.errors import Problem

_MOST_BYTES = 8 * 2**20
_BATCH = 2000
_MOST_SHOWN = 50


@blueprint.get("/desk/stock/import/")
@allows("manager")
def stock_import() -> Response:
    """The form, and what a file looks like."""
    return render("stock_import.html", columns=catalog_csv.COLUMNS)


@blueprint.post("/desk/stock/import/")
@allows("manager")
def stock_import_file() -> Response:
    """Say what the file comes to, and bring the catalogue to it if that was asked for.

    All of its rows, or none; sent again, it changes nothing more.
    """
    request.max_content_length = _MOST_BYTES
    is_dry = request.form.get("what") != "apply"
    outcome: Outcome | None = None
    faults: list[Fault] = []
    try:
        rows, faults = _read()
        if not faults:
            outcome, faults = _bring(rows, is_dry=is_dry)
    except (catalog_csv.HeaderError, csv.Error, UnicodeDecodeError) as error:
        faults = [Fault(1, f"This is no CSV in UTF-8 as it is needed: {error}")]
    return render(
        "stock_import.html",
        columns=catalog_csv.COLUMNS,
        outcome=None if faults else outcome,
        faults=sorted(faults)[:_MOST_SHOWN],
        more=max(0, len(faults) - _MOST_SHOWN),
        is_dry=is_dry,
    )


def _read() -> tuple[list[Row], list[Fault]]:
    file = request.files.get("file")
    if file is None or not file.filename:
        return [], [Fault(1, "No file was chosen.")]
    text = io.TextIOWrapper(file.stream, encoding="utf-8-sig", newline="")
    found = list(catalog_csv.read(text))
    rows = [each for each in found if isinstance(each, Row)]
    return rows, [each for each in found if isinstance(each, Fault)]


def _bring(rows: Sequence[Row], *, is_dry: bool) -> tuple[Outcome, list[Fault]]:
    why = request.form.get("why", "").strip()[:500] or "imported"
    try:
        with transaction() as session:
            return importing.bring(
                session, _batches(rows), is_dry=is_dry, who=callers.present().name, why=why
            )
    except (IntegrityError, OperationalError):
        raise Problem(503, "busy", "Somebody is at these items; nothing was changed.") from None


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
