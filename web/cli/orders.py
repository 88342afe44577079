"""`flask orders`: what staff settle by hand."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from models import for_sale, shortage, stock
from models.session import transaction

orders = AppGroup("orders", help="What staff settle by hand.")


@orders.command("clear-shortage")
@click.argument("order_id", type=int)
@click.option("--why", required=True, help="For the journal.")
def clear_shortage(order_id: int, why: str) -> None:
    """Take the goods of a paid order that were missing from stock, now that they are there."""
    try:
        with transaction() as session:
            shortage.clear(session, order_id, who="cli", why=why)
    except NoResultFound:
        raise click.ClickException(f"order {order_id}: there is none") from None
    except stock.OutOfStockError as error:
        with transaction() as session:
            left = for_sale.left(session, error.item_ids)
        said = ", ".join(f"{sku}: {units} left" for sku, units in left.items())
        raise click.ClickException(f"order {order_id} is as it was. {said}") from None
    click.echo(f"order {order_id} has all of its goods.")
