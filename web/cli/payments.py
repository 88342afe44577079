"""`flask payments`: money that the provider has, for people."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from models import capturing
from models.session import transaction

payments = AppGroup("payments", help="Payments.")


@payments.command("capture")
@click.argument("payment_id", type=int)
def capture(payment_id: int) -> None:
    """Take the money that the customer's bank has reserved: all of it, once."""
    try:
        with transaction() as session:
            capturing.request(session, payment_id, who="cli")
    except NoResultFound:
        raise click.ClickException(f"payment {payment_id}: there is none") from None
    except capturing.NotCapturableError as refusal:
        raise click.ClickException(f"payment {payment_id}: it is {refusal}") from None
    click.echo(f"payment {payment_id} is being captured.")
