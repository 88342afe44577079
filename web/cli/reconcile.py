"""`flask reconcile`: whether payments, refunds and disputes agree with their providers."""

import re
import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from models.money import decimal_string
from models.reconciliation import span
from models.reconciliation.difference import Difference, Remedy
from models.reconciliation.span import Compared, Span
from models.session import transaction
from providers import registry
from providers.base import ProviderError
from tasks import comparing, peers
from tasks.breaker import NotNowError
from tasks.comparisons import COMPARISONS, Comparison
from web.cli.printing import as_json, as_table

_LEFT, _NOT_ASKED = 1, 2
_COLUMNS = ("what", "provider_id", "our_id", "order_id", "amount", "found", "done")
_UNITS = {"h": "hours", "d": "days"}
_WOULD: dict[Remedy, str] = {
    "look": "it would be looked at",
    "close": "it would be closed",
    "book": "it would be booked",
}

Since = datetime | timedelta
Found = dict[tuple[str, str], tuple[Difference, str | None]]
"""By promise and object: steps overlap. What came of it is None if it is left to a person."""


class SinceType(click.ParamType[Since]):
    """A day or a moment (UTC unless it says otherwise), or a time span like 36h or 7d."""

    name = "since"

    def convert(self, value: Any, param: Any, ctx: Any) -> Since:
        if match := re.fullmatch(r"(\d{1,5})([hd])", value):
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither like 2026-11-01 nor like 7d", param, ctx)
        return given if given.tzinfo else given.replace(tzinfo=UTC)


@click.command("reconcile")
@click.argument("compared", type=click.Choice(list(COMPARISONS)))
@click.option("--since", type=SinceType(), help="Such as 2026-11-01 or 7d.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Change nothing.")
@with_appcontext
def reconcile(compared: Compared, since: Since | None, *, is_json: bool, is_dry: bool) -> None:
    """Compare what providers list with our rows; mend what is certain, show the rest.

    The status is 1 if something is left for a person, 2 if a provider could not be asked.
    """
    outcomes: Found = {}
    silent = [
        name
        for name in registry.in_use()
        if not _is_compared(COMPARISONS[compared], name, since, outcomes, is_dry=is_dry)
    ]
    rows = [_row(difference, done) for difference, done in outcomes.values()]
    if is_json:
        as_json(rows)
    elif rows:
        as_table(rows, _COLUMNS, widest=None)
    if silent:
        sys.exit(_NOT_ASKED)
    if not all(row["is_mended"] for row in rows):
        sys.exit(_LEFT)


def _is_compared(
    comparison: Comparison, name: str, since: Since | None, outcomes: Found, *, is_dry: bool
) -> bool:
    try:
        _compare(comparison, name, since, outcomes, is_dry=is_dry)
    except (ProviderError, NotNowError) as error:
        click.echo(f"{name} could not be asked: {error}", err=True)
        return False
    return True


def _compare(
    comparison: Comparison, name: str, since: Since | None, outcomes: Found, *, is_dry: bool
) -> None:
    """Take one step after the other, as the periodic job does, until all is compared."""
    rest: Span | None = _span(comparison.compared, name, since)
    progress = _Progress(f"{comparison.compared} of {name}")
    call = peers.provider(name).call
    while rest is not None:
        part = comparing.Step(comparison, name, rest, call, progress).take()
        if is_dry:
            came_of_it = [(each, _WOULD.get(each.remedy)) for each in part.differences]
        else:
            came_of_it = comparing.heal_all(part)
            with transaction() as session:
                comparing.close(session, comparison, name, part, came_of_it)
        outcomes |= {(each.promise.name, each.reference): (each, done) for each, done in came_of_it}
        rest = rest._replace(until=part.reached) if part.reached is not None else None
    progress.end()


def _span(compared: Compared, name: str, since: Since | None) -> Span:
    with transaction() as session:
        if isinstance(since, timedelta):
            since = span.present(session) - since
        return span.whole(session, name, compared, since)


class _Progress:
    """Says on a terminal how many were read and back to when, in a line of its own."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: set[str] = set()

    def __call__(self, names: Collection[str], reached: datetime) -> None:
        self._names.update(names)
        if _is_terminal():
            said = f"{len(self._names)} {self._what}, back to {reached:%Y-%m-%d %H:%M} UTC"
            click.echo(f"\r{said}\x1b[K", err=True, nl=False)

    def end(self) -> None:
        start = "\r\x1b[K" if _is_terminal() else ""
        click.echo(f"{start}{len(self._names)} {self._what} were compared.", err=True)


def _is_terminal() -> bool:
    return sys.stderr.isatty()


def _row(difference: Difference, done: str | None) -> dict[str, Any]:
    amount = decimal_string(difference.amount_minor, difference.currency)
    return {
        "what": difference.promise.name,
        "provider_id": difference.reference,
        "our_id": difference.row_id,
        "order_id": difference.order_id,
        "amount": f"{amount} {difference.currency}",
        "found": difference.said,
        "done": done or difference.promise.repair,
        "is_mended": done is not None,
    }
