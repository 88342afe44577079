"""Commands for people who run the shop: `flask --app web users|jobs|audit|reconcile …`."""

from flask import Flask

from web.cli import audit, jobs, reconcile, users


def register(app: Flask) -> None:
    for command in (users.users, jobs.jobs, audit.audit, reconcile.reconcile):
        app.cli.add_command(command)
