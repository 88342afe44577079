"""Commands for people who run the shop: `flask --app web jobs|refunds|audit …`."""

from flask import Flask

from web.cli import (
    audit,
    catalog,
    disputes,
    jobs,
    keys,
    orders,
    payments,
    reconcile,
    refunds,
    reservations,
    users,
)

_COMMANDS = (
    users.users,
    keys.keys,
    jobs.jobs,
    catalog.catalog,
    orders.orders,
    reservations.reservations,
    payments.payments,
    refunds.refunds,
    disputes.disputes,
    audit.audit,
    reconcile.reconcile,
)


def register(app: Flask) -> None:
    for command in _COMMANDS:
        app.cli.add_command(command)
