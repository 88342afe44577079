"""`flask users`: people with a password."""

import click
from flask.cli import AppGroup

from models import user
from models.session import transaction

users = AppGroup("users", help="People with a password.")


@users.command("create-staff")
@click.argument("email")
@click.option("--role", type=click.Choice(sorted(user.STAFF_ROLES)), default="clerk")
@click.password_option()
def create_staff(email: str, role: str, password: str) -> None:
    """Add a member of staff."""
    with transaction() as session:
        user.create(session, email=email, password=password, role=role, who="cli")
    click.echo(f"{email} is a {role} now.")
