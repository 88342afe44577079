"""Each promise bites: a database broken by hand shows exactly what was broken."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import refund
from models.audit import CHECKS
from models.audit.check import ALL, Check, moment
from models.base import db
from models.reconciliation import payments, refunds
from models.tables import Base
from tasks import database_app
from tasks.base import drain
from tests import shop
from tests.models.breaks import BREAKS, of
from tests.sandbox.process import ROOT

BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def lived_in(product: Flask) -> Iterator[None]:
    """A shop with a paid (and partly refunded), an open, an expired and a pending order."""
    client = product.test_client(use_cookies=False)
    shop.make_item("TSHIRT-BLUE", units=10)
    shop.make_item("VASE", units=1, is_unique=True)
    _pay(client, _place(client, "paid"))
    _give_back(100, units=1)
    shop.open_payment(client, _place(client, "open", sku="VASE", quantity=1))
    expired = _place(client, "expired")
    with shop.database() as session:
        late = "UPDATE orders SET expires_at = expires_at - interval '1 h' WHERE id = :id"
        session.execute(text(late), expired)
    shop.sweep()
    _place(client, "pending", quantity=1)
    yield
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with database_app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} CASCADE"))


def _place(client: FlaskClient, name: str, **line: object) -> dict[str, object]:
    body = shop.order_body(guest_email=f"{name}@example.com", **line)  # type: ignore[arg-type]
    answer = client.post("/orders/create/", json=body, headers={"Idempotency-Key": name})
    assert answer.status_code == 201, answer.text
    return shop.body_of(answer)


def _pay(client: FlaskClient, order: dict[str, object]) -> None:
    """Pay the order at the provider of the whole test run."""
    from tests.conftest import _stripe  # noqa: PLC0415 - there is no fixture of this scope

    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(_stripe, secret)
    shop.deliver(client, shop.events_of(_stripe, secret)["payment_intent.succeeded"])
    drain()


def _give_back(amount_minor: int, *, units: int) -> None:
    """Refund a part of what was paid, and put a part of the goods back."""
    ((payment_id, item_id),) = shop.sql(
        "SELECT payment.id, item_id FROM payment JOIN reservation USING (order_id)"
    )
    with shop.database() as session:
        refund.request(
            session,
            payment_id,
            amount_minor=amount_minor,
            restock={str(item_id): units},
            who="staff:1",
            why="a test",
        )
    drain()


@contextmanager
def _undone() -> Iterator[Session]:
    """A transaction that leaves nothing behind."""
    with database_app.app_context():
        session = Session(db.engine)
        try:
            yield session
        finally:
            session.rollback()
            session.close()


def _broken(session: Session) -> set[str]:
    times = moment(session)
    return {check.name for check in CHECKS if check.look(session, ALL, times)}


def test_a_shop_that_is_sound_breaks_no_promise(lived_in: None) -> None:
    with _undone() as session:
        assert _broken(session) == set()
        states = session.scalars(text("SELECT state FROM orders ORDER BY id")).all()
    assert states == ["paid", "pending", "expired", "pending"]


@pytest.mark.parametrize(("name", "statements"), BREAKS)
def test_what_breaks_a_promise_is_found_and_nothing_else(
    lived_in: None, name: str, statements: list[str]
) -> None:
    with _undone() as session:
        for statement in statements:
            session.execute(text(statement))
        assert _broken(session) == {name}


def test_a_mail_that_nothing_stands_behind_is_found(lived_in: None) -> None:
    """It cannot break its promise alone: it is also the confirmation of what is not paid."""
    with _undone() as session:
        moved = f"UPDATE notification SET order_id = {of('open')} WHERE kind = 'order_paid'"
        session.execute(text(moved))
        assert _broken(session) == {"mail.tells_of_a_change", "order.is_confirmed_if_paid"}


def test_every_promise_was_seen_to_bite() -> None:
    assert {name for name, _ in BREAKS} | {"mail.tells_of_a_change"} == BY_NAME.keys()


def test_an_offender_is_told_with_its_row_its_order_and_what_is_wrong(lived_in: None) -> None:
    with _undone() as session:
        session.execute(text("UPDATE payment SET amount_minor = 7 WHERE state = 'open'"))
        check = BY_NAME["payment.has_its_orders_amount"]
        ((payment_id, order_id, detail),) = check.look(session, ALL, moment(session))
        found = text("SELECT id, order_id FROM payment WHERE state = 'open'")
        assert (payment_id, order_id) == session.execute(found).one()
    assert detail == "7 EUR for an order of 1999 EUR"


def test_a_life_whose_beginning_was_pruned_is_judged_by_what_is_left(
    lived_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = BY_NAME["orders.has_a_legal_life"]
    with _undone() as session:
        session.execute(text("UPDATE journal SET from_state = 'expired' WHERE to_state = 'paid'"))
        times = moment(session)
        assert check.look(session, ALL, times)
        assert not check.look(session, ALL, {**times, "journal_since": times["now"]})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_finds_its_rows_by_indexes(lived_in: None, check: Check) -> None:
    with _undone() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        values = {**ALL._asdict(), **moment(session), **check.words}
        explain = text(f"EXPLAIN {check.query}")
        plan = "\n".join(session.scalars(explain, values))
    assert "Seq Scan" not in plan, plan


def test_every_promise_is_documented_with_its_repair() -> None:
    page = (ROOT / "docs" / "audit.md").read_text()
    for promise in (*CHECKS, *payments.PROMISES, *refunds.PROMISES):
        row = f"| `{promise.name}` | `{promise.subject}` | {promise.invariant} | {promise.repair} |"
        assert row in page
