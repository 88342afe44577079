"""`flask keys`: what programs show instead of a password."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from models import api_key, user
from models.session import transaction
from web.cli import printing

_COLUMNS = ("prefix", "email", "name", "scopes", "created_at", "expires_at", "last_used_at")

keys = AppGroup("keys", help="API keys of programs.")


@keys.command("create")
@click.argument("email")
@click.option("--name", required=True, help="To know it by.")
@click.option("--scope", "scopes", type=click.Choice(api_key.SCOPES), multiple=True, required=True)
@click.option("--days", type=click.IntRange(1), help="When it ends by itself; never if left out.")
def create(email: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a key that acts as this user. It is printed this once."""
    try:
        with transaction() as session:
            owner = user.lock(session, email)
            _, whole = api_key.create(
                session, owner, name=name, scopes=scopes, days=days, who="cli"
            )
    except NoResultFound:
        raise click.ClickException(f"nobody has the address {email}") from None
    except api_key.ScopeNotAllowedError as error:
        raise click.ClickException(str(error)) from None
    except api_key.TooManyKeysError:
        raise click.ClickException(f"{api_key.MOST_KEYS} keys are in force already") from None
    click.echo(whole)


@keys.command("list")
@click.option("--json", "is_json", is_flag=True)
def list_keys(*, is_json: bool) -> None:
    """Show all keys that open something."""
    with transaction() as session:
        found = api_key.all_in_force(session)
    rows = [
        {
            **{name: getattr(key, name) for name in _COLUMNS if name != "email"},
            "email": email,
            "scopes": " ".join(key.scopes),
        }
        for key, email in found
    ]
    printing.as_json(rows) if is_json else printing.as_table(rows, _COLUMNS)


@keys.command("revoke")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Let the key that begins so open nothing from the next request on."""
    with transaction() as session:
        key = api_key.by_prefix(session, prefix)
        if key is None:
            raise click.ClickException(f"no key begins with {prefix}")
        api_key.revoke(session, key, who="cli")
    click.echo(f"{prefix} opens nothing now.")
