"""The catalogue as CSV: what is read of a row, and how a cell is kept from being a formula."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from marshmallow import ValidationError

from models import money
from models.importing import Fault, Row
from models.stock import STATUSES, StockItem
from web.catalog_representations import ITEM_IN

COLUMNS = ("sku", "title", "unit_price", "currency", "stock", "is_unique", "status")
_REQUIRED = frozenset(COLUMNS[:5])
_WORDS = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r]")  # noqa: RUF001 - a spreadsheet takes the wide ones too


class HeaderError(Exception):
    """The first row does not name the columns."""


def write(file: TextIO, items: Iterable[StockItem]) -> int:
    """Write the items under the names of their columns; how many there were."""
    writer, number = csv.writer(file), 0
    writer.writerow(COLUMNS)
    for number, item in enumerate(items, start=1):  # noqa: B007 - counted
        writer.writerow(_cells(item))
    return number


def read(file: Iterable[str]) -> Iterator[Row | Fault]:
    """Each row, or what is wrong with it, by its line. Raises `HeaderError` and `csv.Error`."""
    reader = csv.DictReader(file, restkey="", strict=True)
    names = set(reader.fieldnames or ())
    if missing := sorted(_REQUIRED - names):
        raise HeaderError(f"The first row lacks {', '.join(missing)}.")
    if unknown := sorted(names.difference(COLUMNS)):
        raise HeaderError(f"The first row has what is no column: {', '.join(unknown)}.")
    seen: dict[str, int] = {}
    for cells in reader:
        number = reader.line_num
        found = _row(number, cells)
        if isinstance(found, Row) and (first := seen.setdefault(found.sku, number)) != number:
            found = Fault(number, f"sku: {found.sku} stands in row {first} already.")
        yield found


def _cells(item: StockItem) -> tuple[str, ...]:
    price = money.decimal_string(item.unit_price_minor, item.currency)
    unique = "true" if item.is_unique else "false"
    return (
        harmless(item.sku),
        harmless(item.title),
        price,
        item.currency,
        str(item.stock),
        unique,
        item.status,
    )


def harmless(cell: str) -> str:
    """The cell, so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _meant(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _row(number: int, cells: dict[str, Any]) -> Row | Fault:
    if "" in cells or None in cells.values():
        return Fault(number, "Has another number of cells than the first row.")
    given = {name: _meant(cell.strip()) for name, cell in cells.items()}
    unique, status = given.pop("is_unique", "").lower(), given.pop("status", "")
    if unique not in _WORDS:
        return Fault(number, "is_unique: Must be true or false.")
    if status not in ("", *STATUSES):
        return Fault(number, f"status: Must be one of {', '.join(STATUSES)}, or empty.")
    units = given.pop("stock")
    if not re.fullmatch("[0-9]{0,10}", units):
        return Fault(number, "stock: Must be a whole number, or empty to leave it as it is.")
    try:
        item = ITEM_IN.load({**given, "stock": int(units or "0"), "is_unique": _WORDS[unique]})
    except ValidationError as error:
        return Fault(number, told(error))
    return Row(
        number=number,
        sku=item["sku"],
        title=item["title"],
        unit_price_minor=money.minor_from_decimal(item["unit_price"], item["currency"]),
        currency=item["currency"],
        stock=int(units) if units else None,
        is_unique=item["is_unique"],
        is_archived=status == "archived",
    )


def told(error: ValidationError) -> str:
    """Each field and its fault, in a line."""
    said = (
        f"{name}: {fault.partition(': ')[2]}"
        for name, faults in error.messages_dict.items()
        for fault in faults
    )
    return " ".join(said)
