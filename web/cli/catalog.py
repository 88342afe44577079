"""`flask catalog`: what is sold, for people."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import click
from flask.cli import AppGroup
from marshmallow import Schema, ValidationError
from sqlalchemy.exc import NoResultFound

from models import catalogue, money
from models.catalogue import Filter
from models.session import transaction
from models.stock import StockItem
from web import rendering
from web.catalog_representations import ADJUSTMENT, ITEM_CHANGE, ITEM_IN, Movement
from web.cli import catalog_csv, catalog_file, catalog_unique
from web.cli.printing import as_json, as_list, as_table

_COLUMNS = ("sku", "title", "unit_price", "currency", "stock", "held", "is_unique", "status")
_MOVED = ("id", "at", "stock_delta", "held_delta", "reason", "order_id", "who")

catalog = AppGroup("catalog", help="What is sold.")
catalog.add_command(catalog_file.import_)
catalog.add_command(catalog_file.export)
catalog.add_command(catalog_unique.mark_unique)

_why = click.option("--why", required=True, help="For the journal.")


@catalog.command("list")
@click.option("--q", "text", help="A part of title or SKU.")
@click.option(
    "--available", "is_available", flag_value=True, default=None, help="Only what is left."
)
@click.option(
    "--unique", "is_unique", flag_value=True, default=None, help="Only one-of-a-kind pieces."
)
@click.option("--archived", "is_archived", is_flag=True, help="What is not sold any more instead.")
@click.option("--limit", default=50, help="So many at most.")
@click.option("--starting-after", "after", help="The SKU of the last one seen before.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def list_(limit: int, after: str | None, *, is_json: bool, **wanted: Any) -> None:
    """Show items, by title."""
    with transaction() as session:
        found = catalogue.listing(session, Filter(**wanted), limit=limit, after=after)
    rows = [rendering.catalog_stock(item) for item in found]
    as_json(rows) if is_json else as_table(rows, _COLUMNS)


@catalog.command("show")
@click.argument("sku")
@click.option("--limit", default=20, help="So many movements at most.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def show(sku: str, limit: int, *, is_json: bool) -> None:
    """Show one item, and what became of its units lately."""
    with _refusals(sku), transaction() as session:
        item = rendering.catalog_stock(catalogue.look_up(session, sku))
        moved = catalogue.movements(session, sku, limit=limit)
    if is_json:
        as_json({"item": item, "movements": Movement().dump(moved, many=True)})
        return
    as_list(item)
    click.echo()
    as_table(map(vars, moved), _MOVED)


@catalog.command("create")
@click.argument("sku")
@click.option("--title", required=True)
@click.option("--price", "unit_price", required=True, help="Such as 19.99.")
@click.option("--currency", required=True, help="Such as EUR; for good.")
@click.option("--stock", default=0, help="So many are there.")
@click.option("--unique", "is_unique", is_flag=True, help="There is only one in the world.")
def create(**said: Any) -> None:
    """Add an item."""
    body = _read(ITEM_IN, said)
    body["unit_price_minor"] = _minor(body.pop("unit_price"), body["currency"])
    try:
        with transaction() as session:
            item = catalogue.create(session, **body, who="cli")
    except catalogue.SkuTakenError as error:
        raise click.ClickException(f"{error} is taken.") from None
    click.echo(_told(item))


@catalog.command("price")
@click.argument("sku")
@click.argument("unit_price")
@_why
def price(sku: str, unit_price: str, why: str) -> None:
    """Give an item another price, for orders from now on."""
    body = _read(ITEM_CHANGE, {"unit_price": unit_price, "why": why})

    with _refusals(sku), transaction() as session:
        minor = _minor(body["unit_price"], catalogue.look_up(session, sku).currency)
    _act(sku, catalogue.change, unit_price_minor=minor, why=body["why"])


@catalog.command("restock")
@click.argument("sku")
@click.argument("units", type=click.IntRange(min=1))
@click.option("--why", default="delivered", help="For journal and movement.")
def restock(sku: str, units: int, why: str) -> None:
    """Add units that have come."""
    _act(sku, catalogue.adjust, units, why=why)


@catalog.command("adjust")
@click.argument("sku")
@click.option("--by", type=int, help="So many have come, or are gone if negative.")
@click.option("--to", type=int, help="Or so many were counted, those that are held included.")
@_why
def adjust(sku: str, by: int | None, to: int | None, why: str) -> None:
    """Bring the units of an item to what they are."""
    body = _read(ADJUSTMENT, {"delta": by, "stock": to, "reason": why})
    if by is None:
        _act(sku, catalogue.count, body["stock"], why=body["reason"])
    else:
        _act(sku, catalogue.adjust, body["delta"], why=body["reason"])


@catalog.command("archive")
@click.argument("skus", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Sell them again.")
@_why
def archive(skus: Sequence[str], why: str, *, undo: bool) -> None:
    """Sell items no more; what orders hold of them stays theirs."""
    verb = catalogue.unarchive if undo else catalogue.archive
    for sku in skus:
        _act(sku, verb, why=why)


def _act(sku: str, verb: Callable[..., StockItem], *given: Any, **said: Any) -> None:
    with _refusals(sku), transaction() as session:
        item = verb(session, sku, *given, **said, who="cli")
    click.echo(_told(item))


@contextmanager
def _refusals(sku: str) -> Iterator[None]:
    try:
        yield
    except NoResultFound:
        raise click.ClickException(f"{sku}: there is none") from None
    except catalogue.ImpossibleStockError as error:
        bounds = f"between {error.least}, which are held, and {error.most}"
        raise click.ClickException(f"{sku}: its units must be {bounds}") from None


def _read(schema: Schema, said: dict[str, Any]) -> dict[str, Any]:
    try:
        body: dict[str, Any] = schema.load(
            {name: value for name, value in said.items() if value is not None}
        )
    except ValidationError as error:
        raise click.ClickException(catalog_csv.told(error)) from None
    return body


def _minor(given: Decimal, currency: str) -> int:
    try:
        return money.minor_from_decimal(given, currency)
    except ValueError as error:
        raise click.ClickException(f"unit_price: {error}") from None


def _told(item: StockItem) -> str:
    shown = rendering.catalog_stock(item)
    return "{sku} is {status}: {stock} in stock, {held} held, {unit_price} {currency}.".format(
        **shown
    )
