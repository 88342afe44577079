"""Each promise bites: a database broken by hand shows exactly what was broken."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.audit import CHECKS
from models.audit.check import ALL, Check, moment
from models.base import db
from models.reconciliation import payments, refunds
from models.tables import Base
from tasks import database_app
from tasks.base import drain
from tests import shop
from tests.sandbox.process import ROOT

BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def lived_in(product: Flask) -> Iterator[None]:
    """A shop with a paid, an open, an expired and a pending order."""
    client = product.test_client(use_cookies=False)
    shop.make_item("TSHIRT-BLUE", units=10)
    shop.make_item("VASE", units=1, is_unique=True)
    _pay(client, _place(client, "paid"))
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


def _of(name: str) -> str:
    return f"(SELECT id FROM orders WHERE email = '{name}@example.com')"


def _item(sku: str) -> str:
    return f"(SELECT id FROM stock_item WHERE sku = '{sku}')"


def _move(sku: str, units: int, holds: int, order: str = "NULL") -> str:
    return f"""INSERT INTO stock_movement
        (item_id, order_id, stock_delta, held_delta, reason, who, at)
        VALUES ({_item(sku)}, {order}, {units}, {holds}, 'by hand', 'test', clock_timestamp())"""


def _line(order: str, sku: str) -> str:
    """A line that costs nothing, so that the total stays right."""
    return f"""INSERT INTO order_item (order_id, item_id, product_title, product_sku,
        product_status, unit_price_minor, quantity)
        VALUES ({_of(order)}, {_item(sku)}, 'Gift', '{sku}', 'available', 0, 1)"""


def _payment(order: str, state: str = "created", received: str = "0") -> str:
    """A payment of the order's amount, with the journal that its state asks for."""
    return f"""WITH made AS (
        INSERT INTO payment (order_id, provider, state, settles, amount_minor, currency,
            provider_key, received_minor, created_at)
        SELECT id, 'stripe', '{state}', false, total_minor, currency, 'by hand', {received},
            created_at FROM orders WHERE id = {_of(order)}
        RETURNING id, order_id)
        INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why,
            at)
        SELECT order_id, 'payment', id, 'payment.state', 'created', '{state}', 'test', 'test',
            clock_timestamp() FROM made WHERE '{state}' <> 'created'"""


def _drop(table: str, constraint: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"


def _moved(order: str, what: str, was: str, becomes: str) -> str:
    return f"""INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state,
        who, why, at) VALUES ({_of(order)}, 'orders', {_of(order)}, '{what}', {was}, {becomes},
        'test', 'test', clock_timestamp() - interval '2 days')"""


_APPLIED = "(SELECT min(id) FROM webhook_event WHERE state = 'applied')"
_REVIEW = f"UPDATE orders SET needs_review = true WHERE id = {_of('paid')}"

BREAKS: list[tuple[str, list[str]]] = [
    (
        "stock.held_within_stock",
        [
            _drop("stock_item", "ck_stock_item_held_within_stock"),
            "UPDATE stock_item SET stock = stock - 10 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", -10, 0),
        ],
    ),
    (
        "stock.held_is_reserved",
        [
            "UPDATE stock_item SET held = held + 1 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", 0, 1),
        ],
    ),
    (
        "stock.movements_add_up",
        ["UPDATE stock_item SET stock = stock + 1 WHERE sku = 'TSHIRT-BLUE'"],
    ),
    (
        "stock.piece_has_one_holder",
        [
            _drop("stock_item", "ck_stock_item_unique_stock"),
            _drop("stock_item", "ck_stock_item_status_agrees_with_stock"),
            "UPDATE stock_item SET stock = 2, held = 2 WHERE sku = 'VASE'",
            _move("VASE", 1, 1, _of("pending")),
            f"""INSERT INTO reservation (order_id, item_id, quantity, state)
                VALUES ({_of("pending")}, {_item("VASE")}, 1, 'active')""",
        ],
    ),
    (
        "stock.piece_status_agrees",
        [
            _drop("stock_item", "ck_stock_item_status_agrees_with_stock"),
            "UPDATE stock_item SET status = 'available' WHERE sku = 'VASE'",
        ],
    ),
    (
        "reservation.has_its_movements",
        ["UPDATE stock_movement SET order_id = NULL WHERE reason = 'taken'"],
    ),
    ("order.is_whole", [f"DELETE FROM address WHERE order_id = {_of('paid')}"]),
    ("order.is_whole", [f"DELETE FROM order_item WHERE order_id = {_of('paid')}"]),
    ("order.is_whole", ["UPDATE order_item SET unit_price_minor = unit_price_minor + 1"]),
    ("order.pending_holds_its_lines", [_line("pending", "VASE")]),
    (
        "order.ended_holds_nothing",
        [
            f"UPDATE reservation SET state = 'active' WHERE order_id = {_of('expired')}",
            "UPDATE stock_item SET held = held + 2 WHERE sku = 'TSHIRT-BLUE'",
            _move("TSHIRT-BLUE", 0, 2, _of("expired")),
        ],
    ),
    ("order.paid_has_its_stock", [_line("paid", "VASE")]),
    ("order.is_paid_by_one_payment", ["UPDATE payment SET settles = false", _REVIEW]),
    ("order.has_one_live_payment", ["DROP INDEX uq_payment_live", _payment("open")]),
    ("order.ended_has_no_live_payment", [_payment("expired")]),
    ("order.ended_keeps_no_money", [_payment("expired", "succeeded", "total_minor")]),
    (
        "order.is_confirmed_if_paid",
        [f"DELETE FROM notification WHERE order_id = {_of('paid')}"],
    ),
    (
        "payment.has_its_orders_amount",
        ["UPDATE payment SET amount_minor = amount_minor + 1 WHERE state = 'open'"],
    ),
    ("payment.has_its_orders_amount", ["UPDATE payment SET currency = 'USD' WHERE state = 'open'"]),
    ("payment.succeeded_is_received", [_payment("paid", "succeeded", "total_minor - 1"), _REVIEW]),
    ("payment.surplus_is_seen", [_payment("paid", "succeeded", "total_minor")]),
    (
        "payment.is_known_once",
        [
            _drop("payment", "uq_payment_provider_provider_payment_id"),
            "UPDATE payment SET provider_payment_id = 'pi_1'",
        ],
    ),
    (
        "payment.final_keeps_no_secret",
        ["UPDATE payment SET client_secret = 'secret' WHERE state = 'succeeded'"],
    ),
    (
        "key.stands_for_one_request",
        [
            _drop("idempotency_key", "uq_idempotency_key_caller_endpoint_key"),
            """INSERT INTO idempotency_key (caller, endpoint, key, fingerprint, status, created_at)
                SELECT caller, endpoint, key, fingerprint, status, created_at
                FROM idempotency_key LIMIT 1""",
        ],
    ),
    (
        "event.is_stored_once",
        [
            _drop("webhook_event", "uq_webhook_event_provider_event_id"),
            """INSERT INTO webhook_event (provider, event_id, type, body, state, occurred_at,
                    received_at)
                SELECT provider, event_id, type, body, 'ignored', occurred_at, received_at
                FROM webhook_event""",
        ],
    ),
    (
        "event.has_its_job",
        [
            "DELETE FROM journal WHERE subject = 'webhook_event'",
            "UPDATE webhook_event SET state = 'received'",
        ],
    ),
    (
        "mail.has_its_job",
        ["UPDATE job SET state = 'cancelled' WHERE kind = 'notifications.send'"],
    ),
    (
        "mail.goes_out_once",
        [
            _drop("notification", "uq_notification_order_id_kind_recipient"),
            """WITH twin AS (
                INSERT INTO notification (order_id, kind, recipient, state, message_id, created_at)
                SELECT order_id, kind, recipient, state, message_id, created_at FROM notification
                RETURNING id)
                INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts,
                    max_attempts, rung_at, created_at)
                SELECT 'notifications.send', 'mail:' || id, '{}', 'mail', 'ready',
                    clock_timestamp(), 0, 1, clock_timestamp(), clock_timestamp() FROM twin""",
        ],
    ),
    (
        "job.dead_says_why",
        ["UPDATE job SET state = 'dead', last_error = NULL WHERE kind = 'notifications.send'"],
    ),
    (
        "job.was_ended_by_its_last_claim",
        ["UPDATE job SET attempts = attempts + 1 WHERE kind = 'webhooks.apply'"],
    ),
    ("job.was_ended_by_its_last_claim", ["DELETE FROM job_attempt"]),
    (
        "orders.has_a_legal_life",
        [
            f"""UPDATE journal SET from_state = 'expired'
                WHERE order_id = {_of("paid")} AND subject = 'orders'"""
        ],
    ),
    (
        "orders.has_a_legal_life",
        [_moved("paid", "orders.state", "'paid'", "'paid'")],
    ),
    (
        "orders.has_a_legal_life",
        [_moved("open", "orders.state", "'pending'", "'paid'")],
    ),
    ("payment.has_a_legal_life", ["UPDATE payment SET state = 'processing' WHERE state = 'open'"]),
    ("notification.has_a_legal_life", ["UPDATE notification SET state = 'sent'"]),
    ("webhook_event.has_a_legal_life", ["UPDATE webhook_event SET state = 'parked'"]),
    (
        "job.is_done_in_time",
        ["UPDATE job SET run_at = run_at - interval '1 h' WHERE state = 'ready'"],
    ),
    (
        "job.lease_is_freed",
        [
            """UPDATE job SET state = 'leased', lease_token = gen_random_uuid(),
                lease_until = clock_timestamp() - interval '1 h' WHERE state = 'ready'"""
        ],
    ),
    (
        "order.is_swept_in_time",
        [f"UPDATE orders SET expires_at = expires_at - interval '2 h' WHERE id = {_of('open')}"],
    ),
    (
        "order.closing_ends",
        [
            f"UPDATE orders SET closing = 'expired' WHERE id = {_of('open')}",
            _moved("open", "order.closing", "NULL", "'expired'"),
        ],
    ),
    (
        "payment.is_answered",
        [
            _payment("pending"),
            "UPDATE payment SET created_at = created_at - interval '2 h' WHERE state = 'created'",
        ],
    ),
    (
        "event.finds_its_payment",
        [
            f"""UPDATE journal SET to_state = 'parked'
                WHERE subject = 'webhook_event' AND subject_id = {_APPLIED}""",
            f"""UPDATE webhook_event SET state = 'parked', received_at = received_at
                - interval '2 days' WHERE id = {_APPLIED}""",
        ],
    ),
]


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
        session.execute(text(f"UPDATE notification SET order_id = {_of('open')}"))
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
