"""The invariants themselves: each finds what it is there to find."""

from contextlib import suppress

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests import invariants, shop
from tests.telling import sent_payment, tell


class UndoError(Exception):
    """Ends the transaction that did the damage."""


def broken_by(damage: str) -> list[str]:
    """What the invariants say after `damage`, which is undone."""
    with suppress(UndoError), shop.database() as session:
        session.execute(text(damage))
        found = invariants.broken(session)
        raise UndoError
    return found


@pytest.mark.parametrize(
    ("number", "damage"),
    [
        (2, "UPDATE reservation SET quantity = 1 WHERE state = 'active'"),
        (2, "UPDATE stock_item SET stock = stock + 1"),
        (2, "DELETE FROM stock_movement WHERE reason = 'taken'"),
        (2, "UPDATE reservation SET quantity = 11"),
        (2, "UPDATE reservation SET state = 'released' WHERE state = 'active'"),
        (3, "UPDATE payment SET settles = false"),
        (3, "UPDATE payment SET received_minor = 1"),
        (5, "UPDATE orders SET state = 'expired' WHERE state = 'paid'"),
        (5, "UPDATE reservation SET state = 'released' WHERE state = 'taken'"),
        (6, "DELETE FROM job WHERE kind = 'webhooks.apply'"),
        (7, "DELETE FROM notification"),
        (7, "DELETE FROM journal WHERE to_state = 'paid'"),
        (8, "UPDATE job SET state = 'dead'"),
        (9, "UPDATE payment SET state = 'processing', settles = false"),
        (9, "DELETE FROM journal WHERE from_state = 'created'"),
        (
            9,
            "UPDATE journal SET to_state = 'open' WHERE subject = 'payment'",
        ),
    ],
)
def test_damage_is_seen(client: FlaskClient, number: int, damage: str) -> None:
    shop.make_item(units=10)
    tell(sent_payment(client), "succeeded")
    shop.place(client)
    charge = {"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}
    shop.deliver(client, shop.event_about(charge, type="charge.refunded"))
    assert broken_by("SELECT 1") == []

    assert any(line.startswith(f"{number}: ") for line in broken_by(damage))
