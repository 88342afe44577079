"""`flask reservations`: goods that unpaid orders hold."""

from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from models import order_desk
from models.orders import Order
from models.session import transaction
from tasks.reservations import close_overdue
from web.cli.printing import as_json, as_table

_COLUMNS = ("order_id", "order_number", "expires_at", "closing", "is_extended", "units")

reservations = AppGroup("reservations", help="Goods that unpaid orders hold.")


@reservations.command("list")
@click.option("--overdue", "is_overdue", is_flag=True, help="Only those whose time is over.")
@click.option("--limit", default=50, help="So many at most.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def list_(limit: int, *, is_overdue: bool, is_json: bool) -> None:
    """Show unpaid orders, those that end first at the top."""
    with transaction() as session:
        found = order_desk.holding(session, limit=limit, is_overdue=is_overdue)
    rows = [_row(order) for order in found]
    if is_json:
        as_json(rows)
    else:
        as_table(rows, _COLUMNS)


@reservations.command("sweep")
def sweep() -> None:
    """Close all orders whose time is over, here and now, as beat has it done all the time."""
    click.echo(f"{sum(close_overdue())} orders were closed, extended, or are being closed.")


@reservations.command("extend")
@click.argument("order_id", type=int)
@click.option(
    "--minutes", type=click.IntRange(1, 60 * 24 * 31), required=True, help="So much more."
)
@click.option("--why", required=True, help="For the journal.")
def extend(order_id: int, minutes: int, why: str) -> None:
    """Hold the goods of an unpaid order for longer."""
    by = timedelta(minutes=minutes)
    try:
        with transaction() as session:
            order = order_desk.extend(session, order_id, by, who="cli", why=why)
    except NoResultFound:
        raise click.ClickException(f"order {order_id}: there is none") from None
    except order_desk.NotExtendableError as error:
        raise click.ClickException(f"order {order_id} is {error}") from None
    click.echo(f"order {order_id} holds its goods until {order.expires_at:%Y-%m-%d %H:%M} UTC.")


def _row(order: Order) -> dict[str, object]:
    return {
        "order_id": order.id,
        "order_number": order.order_number,
        "expires_at": order.expires_at,
        "closing": order.closing,
        "is_extended": order.is_extended,
        "units": sum(line.quantity for line in order.lines),
    }
