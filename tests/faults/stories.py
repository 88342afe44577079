"""The life of one order, cut anywhere and taken up again by whoever is left."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from models import job, lease
from models.tables import Base
from tasks.base import drain, perform
from tasks.doorbell import channel, redis_client
from tests import shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess

SHIRT, PIECE = "TSHIRT-BLUE", "PAINTING"
TOTAL_MINOR = 3 * 1999
_BODY = shop.order_body(items=[shop.line(SHIRT, 2), shop.line(PIECE, 1)])
_ROUNDS = 20
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.02
_EMPTY = "; ".join(f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables))
_LATER = "UPDATE job SET lease_until = lease_until - interval '1 h' WHERE state = 'leased'"
_DUE = "UPDATE job SET run_at = created_at WHERE state = 'ready'"


@dataclass
class Story:
    """One order, by its buyer, its provider, and the workers who come after a crash."""

    client: FlaskClient
    provider: StripeProcess
    mail: MailServer
    order: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = None
    is_paid: bool = False
    job_id: int = 0
    clerk_id: int = 0
    refund_id: str = ""
    """At the provider."""
    success: Mapping[str, Any] = field(default_factory=dict)
    """The event that tells of the money."""
    taken_events: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """An empty shop with a few goods, and nothing left of earlier stories anywhere."""
        empty_the_shop()
        self.provider.control("reset")
        self.mail.received.clear()
        shop.make_item(SHIRT, units=10)
        shop.make_item(PIECE, units=1, is_unique=True)

    # What a client does. It may do each again: the key makes it one request.

    def create(self) -> None:
        answer = self.client.post(
            "/orders/create/", json=_BODY, headers={"Idempotency-Key": "the-order"}
        )
        assert answer.status_code == 201, answer.text
        self.order = shop.body_of(answer)

    def start(self) -> None:
        answer = shop.start(self.client, self.order, **{"Idempotency-Key": "the-payment"})
        assert answer.status_code in (200, 202), answer.text
        self.secret = shop.body_of(answer)["client_secret"]

    def pay(self) -> None:
        if self.secret is None:
            self.start()
        if self.secret is not None and not self.is_paid:
            shop.pay(self.provider, self.secret)
            self.is_paid = True

    def go_on(self) -> None:
        """What a buyer does who wants the goods, and all who have to do with it."""
        if not self.is_paid:
            _let_time_heal()
            self.create()
            self.start()
            self.settle()
            self.pay()
        self.settle()

    # What a clerk does, who tries again if there was no answer.

    def call_off(self) -> None:
        self._at_the_desk("cancel", "job_not_cancellable")

    def have_it_tried_again(self) -> None:
        self._at_the_desk("retry", "job_not_retryable")

    def _at_the_desk(self, act: str, done_before: str) -> None:
        path = f"/staff/jobs/{self.job_id}/{act}/"
        answer = self.at_the_desk(path, {"why": "the buyer called"})
        assert answer.status_code == 200 or done_before in answer.text, answer.text

    def ask_at_the_desk(self, path: str, body: Mapping[str, Any]) -> None:
        answer = self.at_the_desk(path, body)
        assert answer.status_code in (200, 202), answer.text

    def at_the_desk(self, path: str, body: Mapping[str, Any]) -> TestResponse:
        """Post as the clerk, who has a key for it."""
        key = {"Idempotency-Key": "the-clerk"}
        return self._signed_in().post(path, json=body, headers=key)

    def _signed_in(self) -> FlaskClient:
        desk, moment = self.client.application.test_client(), int(time.time())
        with desk.session_transaction() as session:
            session.update(user_id=self.clerk_id, version=1, began_at=moment, seen_at=moment)
        return desk

    def submit(self, page: str, **fields: str) -> None:
        """Send a form of a page of the desk, as the clerk; the same one if it is sent again."""
        desk = self._signed_in()
        form = {"once": "the-form", **fields}
        answer = desk.post(
            f"/staff/desk/{page}", data=form, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code in (200, 303), answer.text

    def give_back(self) -> None:
        """Ask for all of the money to go back, and for the shirts to go on sale again."""
        shirts = [{"product_sku": SHIRT, "quantity": 2}]
        self.ask_at_the_desk(f"/orders/refund/{self.payment_id()}/", {"restock": shirts})

    def mark_refunded(self) -> None:
        orders = {"order_ids": [self.order["id"]]}
        self.ask_at_the_desk("/staff/orders/mark-refunded/", orders)

    def record_refund(self) -> None:
        """Tell of the refund that was made by hand."""
        named = {"payment_id": self.payment_id(), "provider_refund_id": self.refund_id}
        self.ask_at_the_desk("/staff/refunds/record/", named)

    def capture(self) -> None:
        answer = self.at_the_desk(f"/orders/capture/{self.payment_id()}/", {})
        assert answer.status_code == 202 or "not_capturable" in answer.text, answer.text

    def cancel(self) -> None:
        path, key = f"/orders/cancel/{self.order['id']}/", {"Idempotency-Key": "the-end"}
        answer = self.client.post(path, json={}, headers={**shop.bearer(self.order), **key})
        assert answer.status_code in (200, 202), answer.text

    def ship(self) -> None:
        self.ask_at_the_desk(f"/orders/ship/{self.order['id']}/", {"carrier": "An Post"})

    def deliver_goods(self) -> None:
        self.ask_at_the_desk(f"/orders/deliver/{self.order['id']}/", {})

    def release(self) -> None:
        """Say that the order was looked at."""
        self.ask_at_the_desk(f"/orders/release-review/{self.order['id']}/", {"why": "it is fine"})

    # What the provider does: each event comes until it is taken, and then once more.

    def at_the_charge(self, act: str) -> str:
        """Have the bank or the dashboard act on the order's charge; the id of what it made."""
        (charge,) = self.provider.ledger()["charges"]
        return str(self.provider.control(f"charges/{charge['id']}/{act}", {})["id"])

    def events(self) -> list[dict[str, Any]]:
        """All that has happened there, oldest first."""
        answer = requests.get(
            f"{self.provider.url}/v1/events",
            params={"limit": 100},
            headers={"Authorization": f"Bearer {self.provider.secret_key}"},
            timeout=30,
        )
        events: list[dict[str, Any]] = answer.json()["data"][::-1]
        return events

    def redeliver(self) -> int:
        untaken = [event for event in self.events() if event["id"] not in self.taken_events]
        for event in untaken * 2:
            self.deliver(event)
        return len(untaken)

    def deliver(self, event: Mapping[str, Any], path: str = "/orders/webhook/") -> None:
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", **shop.signature(body)}
        answer = self.client.post(path, data=body, headers=headers)
        assert answer.status_code == 200, answer.text
        self.taken_events.add(event["id"])

    # What happens by itself: leases and locks run out, workers do what is due.

    def settle(self) -> None:
        """Let time heal until nothing moves any more, or for as long as is bearable."""
        for _ in range(_ROUNDS):
            _let_time_heal()
            while self.redeliver() + drain():
                pass
            if not shop.sql("SELECT FROM job WHERE state IN ('ready', 'leased')"):
                return
            time.sleep(_PAUSE_SECONDS)

    def stage(self, kind: str, **arguments: Any) -> None:
        with shop.database() as session:
            job.stage(session, kind, key=f"{kind}:{secrets.token_hex(4)}", **arguments)

    def choose_job(self, kind: str) -> None:
        """The job that the worker will do who is to die."""
        ((self.job_id,),) = shop.sql(
            "SELECT id FROM job WHERE kind = :kind AND state = 'ready'", kind=kind
        )

    def work(self) -> None:
        perform(self.job_id)

    def payment_id(self) -> int:
        ((payment_id,),) = shop.sql("SELECT id FROM payment")
        return int(payment_id)


def empty_the_shop() -> None:
    """Delete every row and every key: much quicker than TRUNCATE while there are few."""
    with shop.database() as session:
        session.execute(text(_EMPTY))
    _end_locks()


def _let_time_heal() -> None:
    """End every lease, back-off and lock, as the hours would."""
    with shop.database() as session:
        session.execute(text(_LATER))
        lease.reap(session)
        session.execute(text(_DUE))
    _end_locks()


def _end_locks() -> None:
    with redis_client(_PATIENCE_SECONDS) as redis:
        for lock in redis.scan_iter(channel("piece:*")):
            assert redis.pttl(lock) > 0, f"{lock!r} would stay for ever"
        redis.flushdb()
