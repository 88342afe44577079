"""Commands for people who run the shop: `flask --app web users|jobs …`."""

import click
from flask import Flask
from flask.cli import AppGroup

from models import user
from models.session import transaction
from tasks.base import drain

users = AppGroup("users", help="People with a password.")
jobs = AppGroup("jobs", help="The job ledger.")


@users.command("create-staff")
@click.argument("email")
@click.option("--role", type=click.Choice(sorted(user.STAFF_ROLES)), default="clerk")
@click.password_option()
def create_staff(email: str, role: str, password: str) -> None:
    """Add a member of staff."""
    with transaction() as session:
        user.create(session, email=email, password=password, role=role, who="cli")
    click.echo(f"{email} is a {role} now.")


@jobs.command("work")
@click.option("--limit", default=1000, help="Stop after so many tries.")
def work(limit: int) -> None:
    """Do what is due, here and without a broker, then stop."""
    click.echo(f"{drain(limit)} jobs were tried.")


def register(app: Flask) -> None:
    for group in (users, jobs):
        app.cli.add_command(group)
