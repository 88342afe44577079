"""`flask users`: people with a password."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm import Session

from models import user
from models.session import transaction
from web.cli import printing

_COLUMNS = ("id", "email", "role", "is_active", "created_at")

users = AppGroup("users", help="People with a password.")


@users.command("create-staff")
@click.argument("email")
@click.option("--role", type=click.Choice(sorted(user.STAFF_ROLES)), default="clerk")
@click.password_option()
def create_staff(email: str, role: str, password: str) -> None:
    """Add a member of staff."""
    try:
        with transaction() as session:
            user.create(session, email=email, password=password, role=role, who="cli")
    except user.WeakPasswordError as error:
        raise click.ClickException(f"The password would be guessed. {error}.") from None
    except IntegrityError:
        raise click.ClickException(f"{email} has an account; see set-role") from None
    click.echo(f"{email} is a {role} now.")


@users.command("list")
@click.option("--role", type=click.Choice(user.ROLES))
@click.option("--json", "is_json", is_flag=True)
def list_users(role: str | None, *, is_json: bool) -> None:
    """Show who has an account."""
    with transaction() as session:
        found = user.every_one(session, role)
    rows = [{name: getattr(each, name) for name in _COLUMNS} for each in found]
    printing.as_json(rows) if is_json else printing.as_table(rows, _COLUMNS)


@users.command("set-role")
@click.argument("email")
@click.argument("role", type=click.Choice(user.ROLES))
def set_role(email: str, role: str) -> None:
    """Let somebody do what a role may, from the next request on."""
    with _changed(email) as (session, account):
        user.set_role(session, account, role, who="cli")
    click.echo(f"{email} is a {role} now.")


@users.command("disable")
@click.argument("email")
@click.option("--why", required=True, help="For the journal.")
def disable(email: str, why: str) -> None:
    """Keep somebody out: sessions and keys open nothing from the next request on."""
    with _changed(email) as (session, account):
        user.set_active(session, account, is_active=False, who="cli", why=why)
    click.echo(f"{email} is kept out now.")


@users.command("enable")
@click.argument("email")
@click.option("--why", required=True, help="For the journal.")
def enable(email: str, why: str) -> None:
    """Let somebody in again, with their password and their keys."""
    with _changed(email) as (session, account):
        user.set_active(session, account, is_active=True, who="cli", why=why)
    click.echo(f"{email} may sign in now.")


@users.command("set-password")
@click.argument("email")
@click.password_option()
def set_password(email: str, password: str) -> None:
    """Give somebody another password; their sessions end."""
    try:
        password_hash = user.hashed(email, password)
    except user.WeakPasswordError as error:
        raise click.ClickException(f"The password would be guessed. {error}.") from None
    with _changed(email) as (session, account):
        user.change_password(session, account, password_hash, who="cli")
    click.echo(f"{email} has another password now.")


@users.command("revoke-sessions")
@click.argument("email")
@click.option("--why", required=True, help="For the journal.")
def revoke_sessions(email: str, why: str) -> None:
    """End somebody's sessions on all devices; they may sign in anew."""
    with _changed(email) as (session, account):
        user.end_sessions(session, account, who="cli", why=why)
    click.echo(f"{email} is signed out everywhere.")


@contextmanager
def _changed(email: str) -> Iterator[tuple[Session, user.User]]:
    try:
        with transaction() as session:
            yield session, user.lock(session, email)
    except NoResultFound:
        raise click.ClickException(f"nobody has the address {email}") from None
