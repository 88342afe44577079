"""Commands for people who run the shop: `flask --app web users|jobs|audit …`."""

from flask import Flask

from web.cli import audit, jobs, users


def register(app: Flask) -> None:
    for command in (users.users, jobs.jobs, audit.audit):
        app.cli.add_command(command)
