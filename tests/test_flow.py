"""The main flow, step by step and in one process: order, intent, webhook, paid, mailed."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tasks.base import drain
from tests import shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer(monkeypatch) as server:
        yield server


def test_an_order_is_placed_paid_booked_and_mailed_once(
    client: FlaskClient, stripe_sandbox: StripeProcess, mail_server: MailServer
) -> None:
    shop.make_item(units=10)
    order = shop.place(client, quantity=2)
    assert (order["status"], order["total"]) == ("pending", "39.98")
    assert shop.sql("SELECT stock, held FROM stock_item") == [(10, 2)]

    assert shop.start(client, order).status_code == 202
    drain()
    started = shop.body_of(shop.start(client, order))
    shop.pay(stripe_sandbox, started["client_secret"])
    event = shop.events_of(stripe_sandbox, started["client_secret"])["payment_intent.succeeded"]
    assert shop.deliver(client, event).json == {"received": True}
    assert shop.deliver(client, event).json == {"skipped": True}
    drain()

    paid = shop.look(client, order)
    assert (paid["status"], paid["payments"][0]["status"]) == ("paid", "succeeded")
    assert shop.sql("SELECT stock, held FROM stock_item") == [(8, 0)]
    assert shop.sql("SELECT sum(stock_delta), sum(held_delta) FROM stock_movement") == [(8, 0)]
    (mail,) = mail_server.received
    assert mail["To"] == "guest@example.com"
    assert order["order_number"] in mail["Subject"]
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert shop.sql("SELECT count(*) FROM job WHERE state <> 'done'") == [(0,)]
    assert shop.sql("SELECT client_secret FROM payment") == [(None,)]
