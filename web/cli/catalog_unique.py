"""`flask catalog mark-unique`: legacy items of which there is one become one-of-a-kind."""

from collections.abc import Iterator, Sequence

import click
from flask.cli import with_appcontext

from models import catalogue
from models.session import transaction
from models.stock import StockItem
from web import rendering
from web.cli.printing import as_table

_BATCH = 200
_COLUMNS = ("sku", "title", "stock", "held", "is_unique", "status")


@click.command("mark-unique")
@click.option("--stock", "units", type=click.IntRange(0, 1), default=1, help="So many are there.")
@click.option("--sku-like", help="Only SKUs of this pattern: % is any text, _ any character.")
@click.option("--limit", type=click.IntRange(min=1), help="So many at most.")
@click.option("--yes", "is_meant", is_flag=True, help="Do it; without this, show what would be.")
@click.option("--why", default="marked as one-of-a-kind", help="For the journal.")
@with_appcontext
def mark_unique(
    units: int, sku_like: str | None, limit: int | None, why: str, *, is_meant: bool
) -> None:
    """Make one-of-a-kind what is not, of all items of which there is one (or none any more).

    What an order holds becomes reserved for that order.
    """
    number = 0
    for found in _batches(units, sku_like, limit):
        if is_meant:
            with transaction() as session:
                ids = [item.id for item in found]
                number += catalogue.mark_unique(session, ids, units, who="cli", why=why)
        else:
            number += len(found)
            as_table([rendering.catalog_stock(item) for item in found], _COLUMNS)
    if is_meant:
        click.echo(f"{number} items are one-of-a-kind now.")
    else:
        click.echo(f"{number} items would become one-of-a-kind. Nothing was changed: add --yes.")


def _batches(units: int, sku_like: str | None, limit: int | None) -> Iterator[Sequence[StockItem]]:
    last = 0
    while limit is None or limit > 0:
        size = _BATCH if limit is None else min(_BATCH, limit)
        with transaction() as session:
            found = catalogue.not_unique(session, units, sku_like=sku_like, after=last, limit=size)
        if not found:
            return
        yield found
        last, limit = found[-1].id, limit and limit - len(found)
