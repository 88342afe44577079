"""`flask audit`: whether the product keeps its promises, on the live database."""

import sys
from typing import Any

import click
from flask.cli import with_appcontext

from models.audit.check import Found, Promise
from tasks import audit as auditor
from web.cli.printing import as_json, as_table

_FOUND = 1
_COLUMNS = ("promise", "subject", "subject_id", "order_id", "detail", "repair")


@click.command("audit")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
@with_appcontext
def audit(*, is_json: bool) -> None:
    """Look for broken promises in all rows; exit with 1 if there are any.

    What is found is kept for staff, as by the periodic audit.
    """
    rows = [_row(promise, each) for promise, each in auditor.whole()]
    if is_json:
        as_json(rows)
    elif rows:
        as_table(rows, _COLUMNS)
    if rows:
        sys.exit(_FOUND)


def _row(promise: Promise, found: Found) -> dict[str, Any]:
    return {
        "promise": promise.name,
        "invariant": promise.invariant,
        "subject": promise.subject,
        "repair": promise.repair,
        **found._asdict(),
    }
