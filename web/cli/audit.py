"""`flask audit`: whether the product keeps its promises, on the live database."""

import sys
from collections.abc import Iterator
from typing import Any

import click
from flask.cli import with_appcontext

from models.audit.check import Found, Promise
from providers import registry
from providers.base import ProviderError
from tasks import audit as auditor
from tasks import peers
from tasks.breaker import NotNowError
from web.cli.printing import as_json, as_table

_FOUND, _NOT_ASKED = 1, 2
_COLUMNS = ("promise", "subject", "subject_id", "order_id", "detail", "repair")


@click.command("audit")
@click.option("--provider", "asks_providers", is_flag=True, help="Ask the providers, too.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
@with_appcontext
def audit(*, asks_providers: bool, is_json: bool) -> None:
    """Look for broken promises in all rows; exit with 1 if there are any.

    What is found is kept for staff, as by the periodic audit. The status is 2 if a provider
    could not be asked.
    """
    rows = [_row(promise, each) for promise, each in auditor.whole()]
    silent: list[str] = []
    if asks_providers:
        for name in registry.NAMES:
            rows += _compared(name, silent)
    if is_json:
        as_json(rows)
    elif rows:
        as_table(rows, _COLUMNS)
    if silent or rows:
        sys.exit(_NOT_ASKED if silent else _FOUND)


def _compared(name: str, silent: list[str]) -> Iterator[dict[str, Any]]:
    try:
        broken = auditor.compare_with(name, peers.provider(name).call)
    except (ProviderError, NotNowError) as error:
        click.echo(f"{name} could not be asked: {error}", err=True)
        silent.append(name)
    else:
        yield from (_row(each.promise, each.found) for each in broken)


def _row(promise: Promise, found: Found) -> dict[str, Any]:
    return {
        "promise": promise.name,
        "invariant": promise.invariant,
        "subject": promise.subject,
        "repair": promise.repair,
        **found._asdict(),
    }
