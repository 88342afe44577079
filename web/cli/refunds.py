"""`flask refunds`: money that goes back, for people."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup
from marshmallow import ValidationError
from sqlalchemy.exc import NoResultFound

from models import refund, refund_desk
from models.refund import Refund
from models.session import transaction
from web import parsing
from web.cli.printing import as_json, as_table
from web.errors import Problem
from web.idempotency import Once, fingerprint
from web.refund_representations import REFUND_IN
from web.refunds import ask, shown
from web.staff_refunds import give_all_back

_COLUMNS = (
    "refund_id",
    "status",
    "origin",
    "order_id",
    "payment_id",
    "amount",
    "currency",
    "created_at",
    "provider_refund_id",
    "failure",
)

refunds = AppGroup("refunds", help="Money that goes back.")


@refunds.command("create")
@click.argument("payment_id", type=int)
@click.option("--amount", help="Such as 12.50; if left out, all that is left, once.")
@click.option("--reason", type=click.Choice(refund.REASONS), help="For the provider.")
@click.option("--restock", is_flag=True, help="Put on sale again all of its goods that can be.")
@click.option("--note", help="For the journal.")
@click.option(
    "--key",
    help="A word of your own: an amount is given back once for each. If left out, every run "
    "of this command with an amount is a refund of its own.",
)
def create(payment_id: int, key: str | None, **said: Any) -> None:
    """Give money back: a part of the payment, or all that is left of it."""
    given = {name: value for name, value in said.items() if value is not None}
    claim = Once(
        caller="cli",
        endpoint="refunds.create",
        key=key or (secrets.token_urlsafe() if "amount" in given else None),
        fingerprint=fingerprint(f"refunds create {payment_id}", given),
    )
    with _refusals():
        refund_id, is_replayed = ask(payment_id, _read(given), claim, who="cli")
    with transaction() as session:
        (row,) = shown(session, [session.get_one(Refund, refund_id)], for_staff=True)
    since = "was asked for before and" if is_replayed else "of {amount} {currency}".format(**row)
    click.echo(f"refund {refund_id} {since} is {row['status']} now.")


@refunds.command("record")
@click.argument("payment_id", type=int)
@click.argument("provider_refund_id")
def record(payment_id: int, provider_refund_id: str) -> None:
    """Take over a refund that was made by hand at the provider."""
    with transaction() as session:
        known = refund_desk.recorded(session, payment_id, provider_refund_id)
    if known is not None:
        click.echo(f"{provider_refund_id} is refund {known.id}, {known.state}.")
        return
    try:
        with transaction() as session:
            job_id = refund_desk.record(session, payment_id, provider_refund_id, who="cli")
    except NoResultFound:
        raise click.ClickException(f"payment {payment_id}: there is none") from None
    click.echo(f"job {job_id} asks the provider about {provider_refund_id}.")


@refunds.command("list")
@click.option("--state", type=click.Choice(tuple(refund.STATES)))
@click.option("--origin", type=click.Choice(refund.ORIGINS), help="Who wanted it.")
@click.option("--limit", default=50, help="So many at most.")
@click.option("--starting-after", "after", type=int, help="The id of the last one seen before.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
def list_(*, is_json: bool, **wanted: Any) -> None:
    """Show refunds, newest first."""
    with transaction() as session:
        found = shown(session, refund_desk.find(session, **wanted), for_staff=True)
    if is_json:
        as_json(found)
    else:
        as_table(found, _COLUMNS)


@refunds.command("mark-refunded")
@click.argument("order_ids", type=int, nargs=-1, required=True)
def mark_refunded(order_ids: Sequence[int]) -> None:
    """Give back all that the payments of orders hold, each order by itself."""
    refused = [order_id for order_id in order_ids if not _is_marked(order_id)]
    if refused:
        raise click.ClickException(f"{len(refused)} of {len(order_ids)} orders are as they were")


def _is_marked(order_id: int) -> bool:
    try:
        asked = give_all_back(order_id, who="cli")
    except Problem as problem:
        click.echo(f"order {order_id}: {problem.detail}", err=True)
        return False
    for row in asked:
        click.echo(f"order {order_id}: refund {row.id} is {row.state} now.")
    return True


def _read(given: dict[str, Any]) -> dict[str, Any]:
    try:
        body: dict[str, Any] = REFUND_IN.load(given)
    except ValidationError as error:
        raise parsing.invalid(error.messages_dict) from None
    return body


@contextmanager
def _refusals() -> Iterator[None]:
    """Make the command fail with the words of a `Problem`."""
    try:
        yield
    except Problem as problem:
        raise click.ClickException(f"{problem.detail} {problem.hint}") from None
