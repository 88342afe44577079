"""A look at money of which nothing was heard for long has the provider asked."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import looking, refund, refunding
from models.payment import Payment
from models.refund import Refund
from tests import shop
from tests.telling import sent_payment, tell


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item()
    return shop.place(client)


def fall_silent() -> None:
    """Let the janitor have asked about all of it in vain, two minutes ago."""
    shop.let_pass(minutes=1.1)
    with shop.database() as session:
        looking.overdue(session, Payment, 1)
        looking.overdue(session, Refund, 1)
    shop.let_pass(minutes=2)


def looks_after(client: FlaskClient, order: dict[str, Any], path: str) -> list[str]:
    """The looks that are staged after the owner has had two."""
    for _ in range(2):
        assert client.get(path, headers=shop.bearer(order)).status_code == 200
    return [kind for (kind,) in shop.sql("SELECT kind FROM job WHERE dedupe_key LIKE 'look:%'")]


@pytest.mark.parametrize("path", ["/orders/{order}/", "/orders/payments/{payment}/"])
def test_a_stale_payment_is_asked_about_once(
    client: FlaskClient, order: dict[str, Any], path: str
) -> None:
    path = path.format(order=order["id"], payment=sent_payment(client, order))
    assert looks_after(client, order, path) == []
    fall_silent()
    assert looks_after(client, order, path) == ["payments.refresh"]


@pytest.mark.parametrize("path", ["/orders/{order}/", "/orders/refunds/{refund}/"])
def test_a_stale_refund_is_asked_about_once(
    client: FlaskClient, order: dict[str, Any], path: str
) -> None:
    payment_id = sent_payment(client, order)
    tell(payment_id, "succeeded", "look")
    with shop.database() as session:
        refund_id = refund.request(session, payment_id, who="staff:1", why="a test").id
        refunding.begin(session, refund_id)
    path = path.format(order=order["id"], refund=refund_id)
    assert looks_after(client, order, path) == []
    fall_silent()
    assert looks_after(client, order, path) == ["refunds.refresh"]
