"""`flask disputes`: what customers' banks ask for, for people."""

import click
from flask.cli import AppGroup

from models import dispute
from models.session import transaction
from web import rendering
from web.cli.printing import as_json, as_table

_COLUMNS = (
    "id",
    "state",
    "due_by",
    "order_id",
    "payment_id",
    "amount",
    "currency",
    "status",
    "reason",
    "provider_dispute_id",
)

disputes = AppGroup("disputes", help="What customers' banks ask for.")


@disputes.command("list")
@click.option("--state", type=click.Choice(tuple(dispute.STATES)))
@click.option("--limit", default=50, help="So many at most.")
@click.option("--starting-after", "after", type=int, help="The id of the last one seen before.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def list_(limit: int, after: int | None, state: str | None, *, is_json: bool) -> None:
    """Show disputes, open ones first, by how soon they must be answered."""
    with transaction() as session:
        found = dispute.find(session, limit=limit, after=after, state=state)
    rows = [rendering.dispute(each) for each in found]
    if is_json:
        as_json(rows)
    else:
        as_table(rows, _COLUMNS)
