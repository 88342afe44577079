"""Booking in one round trip: it writes what `settling` writes, or nothing at all."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import job, orders, quick_booking, webhook_event
from models.session import at_once
from tasks import database_app
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sent_payment, snapshot, tell

TYPE = "payment_intent.succeeded"

WRITTEN = {
    "orders": "id",
    "payment": "order_id",
    "webhook_event": "order_id",
    "journal": "order_id",
    "reservation": "order_id",
    "stock_movement": "order_id",
    "notification": "order_id",
    "job": "order_id",
}


# --- the same rows ---


def test_it_writes_what_settling_writes(
    client: FlaskClient, stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item("PRINT", 10)
    shop.make_item("PIECE-1", 1, is_unique=True)
    shop.make_item("PIECE-2", 1, is_unique=True)
    used: list[tuple[int, int] | None] = []
    book = quick_booking.book

    def noted(*given: Any, **more: Any) -> tuple[int, int] | None:
        used.append(book(*given, **more))
        return used[-1]

    monkeypatch.setattr(quick_booking, "book", noted)

    quick = _paid(client, stripe_sandbox, "PIECE-1")
    assert used == [(quick, _payment_of(quick))] * 2  # it is created, it has succeeded
    written = _rows_of(quick)
    monkeypatch.setattr(quick_booking, "is_plain", lambda _: False)
    plain = _paid(client, stripe_sandbox, "PIECE-2")
    assert len(used) == 2

    assert written == _rows_of(plain)
    words = "SELECT raw_response, body FROM payment JOIN webhook_event USING (order_id)"
    for raw, body in shop.sql(f"{words} WHERE webhook_event.type = '{TYPE}'"):
        assert raw == body["data"]["object"]
    sold = shop.sql("SELECT stock, held, status FROM stock_item ORDER BY sku")
    assert sold == [(0, 0, "sold"), (0, 0, "sold"), (6, 0, "available")]


def _paid(client: FlaskClient, stripe_sandbox: StripeProcess, piece: str) -> int:
    order = shop.place(client, items=[shop.line("PRINT", 2), shop.line(piece, 1)])
    secret = shop.open_payment(client, order)["client_secret"]
    shop.pay(stripe_sandbox, secret)
    for event in shop.events_of(stripe_sandbox, secret).values():
        shop.deliver(client, event)
    shop.run_jobs("webhooks.apply")
    assert shop.look(client, order)["status"] == "paid"
    return int(order["id"])


def _payment_of(order_id: int) -> int:
    ((payment_id,),) = shop.sql("SELECT id FROM payment WHERE order_id = :id", id=order_id)
    return int(payment_id)


def _rows_of(order_id: int) -> dict[str, list[str]]:
    """All that is stored of the order, but for what differs between any two."""
    found = {}
    for table, column in WRITTEN.items():
        told = shop.sql(f"SELECT to_jsonb(t) FROM {table} AS t WHERE {column} = {order_id}")
        found[table] = sorted(_without_what_differs(dict(row)) for (row,) in told)
        assert found[table]
    of_jobs = "SELECT a.attempt, outcome, error FROM job_attempt AS a JOIN job ON job.id = job_id"
    found["job_attempt"] = [
        repr(row) for row in shop.sql(f"{of_jobs} WHERE order_id = {order_id} ORDER BY a.id")
    ]
    return found


def _without_what_differs(row: dict[str, Any]) -> str:
    """Numbers, names and moments are told from nothing, and that is all that is told of them."""
    words = {name: sorted(row[name]) for name in ("body", "raw_response") if name in row}
    told = json.dumps({**row, **words}, sort_keys=True)
    told = re.sub(r'"\d{4}-\d\d-\d\dT[^"]+"', '"a moment"', told)
    told = re.sub(r"\b(pi|ch|evt|ord|req)_\w+", r"\1_", told)
    told = re.sub(
        r'"(order_number|provider_key|client_hash|guest_hash)": "[^"]+"', r'"\1": 1', told
    )
    told = re.sub(r'("(?:\w*id|created)"): (?:\d+|"[^"]*")', r"\1: 1", told)
    return re.sub(r"(payment |mail:|intent:|_N)\d+", r"\1", told)


# --- what is not plain ---


class Told:
    """An order with an open payment, and the claimed job that is to apply an event about it."""

    def __init__(self, client: FlaskClient) -> None:
        shop.make_item(units=10)
        self.payment_id = sent_payment(client)
        tell(self.payment_id, "open", "answer")
        with shop.database() as session:
            webhook_event.store(
                session,
                provider="stripe",
                event_id="evt_1",
                type_=TYPE,
                body={},
                occurred_at=session.execute(text("SELECT clock_timestamp()")).scalar_one(),
            )
            session.flush()
            (self.event,) = webhook_event.find(session, limit=1)
        ((job_id,),) = shop.sql("SELECT id FROM job WHERE kind = 'webhooks.apply'")
        with shop.database() as session:
            lease = job.claim(session, job_id, "worker-1")
        assert lease is not None
        self.lease = lease
        self.said = snapshot(self.payment_id, "succeeded")

    def book_in(self, session: Session, **changes: Any) -> tuple[int, int] | None:
        lease = changes.pop("lease", self.lease)
        said = replace(self.said, **changes)
        return quick_booking.book(session, lease, self.event, said)

    def book(self, **changes: Any) -> tuple[int, int] | None:
        with database_app.app_context(), at_once() as session:
            return self.book_in(session, **changes)


@pytest.fixture
def told(client: FlaskClient) -> Told:
    return Told(client)


class _UndoneError(Exception):
    """Whatever was done is rolled back."""


OPEN = {"state": "open", "received_minor": 0}
_WAITS = """
INSERT INTO payment (order_id, provider, state, settles, amount_minor, currency, provider_key,
    received_minor, created_at)
SELECT order_id, 'stripe', 'waiting', false, 3998, 'EUR', 'other', 0, created_at FROM payment
"""
_GAVE_BACK = """
INSERT INTO refund (payment_id, order_id, provider, state, origin, amount_minor, currency,
    is_everything, provider_key, requested_by, created_at, looks)
SELECT id, order_id, provider, 'failed', 'provider', 1, currency, false, 'other', 'x', created_at, 0
FROM payment
"""
_TAKEN_OVER = "UPDATE job SET lease_token = gen_random_uuid() WHERE state = 'leased'"
_WRITTEN = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables"


@pytest.mark.parametrize(
    ("first", "changes"),
    [
        pytest.param("SELECT 1", {"amount_minor": 3997}, id="another amount"),
        pytest.param("SELECT 1", {"currency": "USD"}, id="another currency"),
        pytest.param("SELECT 1", {"provider_payment_id": "pi_2"}, id="another payment"),
        pytest.param("SELECT 1", {**OPEN, "amount_minor": 3997}, id="open, of another amount"),
        pytest.param("UPDATE payment SET state = 'processing'", OPEN, id="open, and was not"),
        pytest.param("UPDATE webhook_event SET state = 'applied'", OPEN, id="open, and applied"),
        pytest.param(_TAKEN_OVER, OPEN, id="open, and the lease is lost"),
        pytest.param("UPDATE orders SET closing = 'expired'", {}, id="being closed"),
        pytest.param("UPDATE orders SET state = 'expired'", {}, id="has ended"),
        pytest.param("UPDATE payment SET state = 'sent'", {}, id="not known to be open"),
        pytest.param(_WAITS, {}, id="another payment waits"),
        pytest.param(_GAVE_BACK, {}, id="money went back"),
        pytest.param("UPDATE webhook_event SET state = 'applied'", {}, id="applied already"),
        pytest.param(_TAKEN_OVER, {}, id="the lease is lost"),
    ],
)
def test_what_is_not_plain_is_left_to_settling(
    told: Told, first: str, changes: dict[str, Any]
) -> None:
    def try_and_undo() -> None:
        with shop.database() as session:
            session.execute(text(first))
            before = session.scalar(text(_WRITTEN))
            assert told.book_in(session, **changes) is None
            assert session.scalar(text(_WRITTEN)) == before
            raise _UndoneError

    with pytest.raises(_UndoneError):
        try_and_undo()
    assert told.book() is not None


def test_what_is_booked_is_booked_once(told: Told) -> None:
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    assert told.book() == (order_id, told.payment_id)
    before = shop.everything_stored()
    assert told.book() is None
    assert shop.everything_stored() == before


def test_an_event_that_tells_no_news_ends_and_changes_nothing_else(told: Told) -> None:
    known = "SELECT to_jsonb(payment) || to_jsonb(orders) FROM payment JOIN orders ON true"
    before = shop.sql(known)

    ((order_id,),) = shop.sql("SELECT id FROM orders")
    assert told.book(**OPEN) == (order_id, told.payment_id)

    assert shop.sql(known) == before
    assert shop.sql("SELECT state, reason FROM webhook_event") == [("applied", TYPE)]
    assert shop.sql("SELECT state FROM job WHERE kind = 'webhooks.apply'") == [("done",)]
    assert told.book(**OPEN) is None


@pytest.mark.parametrize(
    "changes", [{"state": "processing"}, {"received_minor": 1}, {"is_live": True}]
)
def test_what_an_event_says_may_not_be_plain(told: Told, changes: dict[str, Any]) -> None:
    assert quick_booking.is_plain(told.said)
    assert not quick_booking.is_plain(replace(told.said, **changes))


def test_what_the_provider_says_is_kept_however_long_its_numbers_are(told: Told) -> None:
    raw = {"amount": 3998, "serial": 10**30}
    assert told.book(raw=raw) is not None
    assert shop.sql("SELECT raw_response FROM payment") == [(raw,)]


def test_of_many_with_one_lease_one_books_it(told: Told) -> None:
    booked = shop.at_once(lambda _: told.book(), 8)

    assert len([one for one in booked if one]) == 1
    assert shop.sql("SELECT count(*) FROM journal WHERE to_state = 'paid'") == [(1,)]


def test_an_order_that_ends_while_this_waits_for_it_is_not_paid(told: Told) -> None:
    with ThreadPoolExecutor(2) as pool:
        with shop.database() as session:
            order = orders.lock(session, _the_order(session))
            orders.begin_closing(session, order, "expired", who="test", why="it took too long")
            waiting = pool.submit(told.book)
            pool.submit(shop.await_that, lambda: shop.sql(_WAITING)).result()
        assert waiting.result() is None
    assert shop.sql("SELECT state, closing FROM orders") == [("pending", "expired")]


_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def _the_order(session: Session) -> int:
    return int(session.execute(text("SELECT id FROM orders")).scalar_one())
