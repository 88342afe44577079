"""The world of a schedule: a shop with few goods, its provider, and one clock for both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
import redis
import requests
from flask.testing import FlaskClient

import settings
from models.base import db
from models.reconciliation.span import Compared, Reconciliation
from models.session import now
from providers import registry
from settings import Settings
from tasks import comparing, database_app, peers, relay
from tasks.base import drain
from tests import shop
from tests.faults.stories import empty_the_shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess
from tests.schedules.promises import Promises

SHIRT, CUP, PIECE = "TSHIRT-BLUE", "CUP", "PAINTING"
_MOST_JOBS = 60

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How the shop is set up, and how well its provider's search and webhooks work."""

    capture: str = "automatic"
    late_policy: str = "flag"
    search_lag_seconds: int = 0
    hears_in_the_end: bool = True
    """Whether webhooks that nobody has delivered come at last, or never."""


class World:
    """What lies outside of the product, and the doors that lead into it."""

    def __init__(
        self,
        client: FlaskClient,
        provider: StripeProcess,
        mail: MailServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.client, self.provider, self.mail = client, provider, mail
        self.ways = Ways()
        self._chosen = self._base = settings.current()
        self._http = requests.Session()
        self._http.trust_env = False
        self._redis = redis.Redis.from_url(self._base.redis_url)  # patient, unlike the product's
        monkeypatch.setattr("settings.current", self._settings)
        monkeypatch.setattr(comparing, "_PATIENCE_SECONDS", 0)  # no event is on its way by itself
        with database_app.app_context():
            self.promises = Promises(db.engine)

    def _settings(self) -> Settings:
        return self._chosen

    def begin(self, ways: Ways) -> None:
        """An empty shop with a few goods, and nothing left of earlier schedules anywhere."""
        if ways.capture != self.ways.capture:
            registry.get.cache_clear()
        self.ways = ways
        self._chosen = replace(
            self._base, payment_capture=ways.capture, late_payment_policy=ways.late_policy
        )
        empty_the_shop()
        self.control("reset")
        self.control(
            "config", {"refund_seconds": None, "search_lag_seconds": ways.search_lag_seconds}
        )
        self.mail.received.clear()
        self._forget_the_moment()
        shop.make_item(SHIRT, units=4)
        shop.make_item(CUP, units=3, unit_price_minor=500)
        shop.make_item(PIECE, units=1, is_unique=True)
        self._begin_comparing()
        self.events: list[Document] = []

    def _begin_comparing(self) -> None:
        """As in a shop that has been open for an hour: no comparison is the first one ever."""
        with shop.database() as session:
            for compared in get_args(Compared):
                session.add(Reconciliation(provider="stripe", compared=compared, complete_at=now()))

    # The provider.

    def control(self, path: str, body: object = None) -> Any:
        """Have the provider do something; its JSON, which says so if that is not to be."""
        url = f"{self.provider.url}/_control/{path}"
        return self._http.post(url, json=body, timeout=30).json()

    def ledger(self) -> dict[str, list[Document]]:
        """Every intent, charge and refund of the provider, oldest first."""
        url = f"{self.provider.url}/_control/ledger"
        ledger: dict[str, list[Document]] = self._http.get(url, timeout=30).json()
        return ledger

    def newest(self, kind: str, **params: Any) -> list[Document]:
        """The provider's newest objects of a kind, newest first."""
        answer = self._http.get(
            f"{self.provider.url}/v1/{kind}",
            params={"limit": 100, **params},
            headers={"Authorization": f"Bearer {self.provider.secret_key}"},
            timeout=30,
        )
        found: list[Document] = answer.json()["data"]
        return found

    def confirm(self, secret: str, card: str) -> None:
        """Pay as a browser does; the provider may say no."""
        intent_id = secret.partition("_secret_")[0]
        self._http.post(
            f"{self.provider.url}/v1/payment_intents/{intent_id}/confirm",
            data={
                "client_secret": secret,
                "payment_method": card,
                "return_url": "http://127.0.0.1/back",
            },
            headers={"Authorization": f"Bearer {self.provider.publishable_key}"},
            timeout=30,
        )

    def news(self) -> list[Document]:
        """The events that have happened since this was asked last, oldest first."""
        found: list[Document] = []
        while page := self.newest("events", **self._after_the_last()):
            self.events += page[::-1]
            found += page[::-1]
        return found

    def _after_the_last(self) -> dict[str, str]:
        return {"ending_before": self.events[-1]["id"]} if self.events else {}

    def deliver(self, event: Mapping[str, Any]) -> None:
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", **shop.signature(body)}
        answer = shop.patiently(
            lambda: self.client.post("/orders/webhook/", data=body, headers=headers)
        )
        assert answer.status_code == 200, answer.text

    # Time, and who works in it.

    def let_pass(self, seconds: int) -> None:
        """Move the clock of database and provider on; what waits for minutes has waited enough."""
        shop.let_pass(seconds=seconds)
        self.control("clock", {"advance_seconds": seconds})
        self.let_leases_expire()
        self._forget_the_moment()

    def _forget_the_moment(self) -> None:
        """Breakers close and buckets fill within seconds that no schedule waits for."""
        for breaker in (peers.provider, peers.mail_server):
            breaker.cache_clear()
        self._redis.flushdb()

    def let_leases_expire(self) -> None:
        shop.let_leases_expire()
        with database_app.app_context():
            relay.reap()

    def work(self) -> int:
        """Do what is due; how many jobs were tried."""
        return drain(_MOST_JOBS)

    def beat(self, kinds: Sequence[str]) -> None:
        """Stage what is staged from time to time."""
        for kind in kinds:
            shop.stage_job(kind)

    def close(self) -> None:
        """End the connections."""
        self.promises.close()
        self._redis.close()
        self._http.close()

    # What must be true.

    def check(self) -> dict[str, list[Document]]:
        """Fail if anything is wrong at this moment; the provider's ledger."""
        ledger = self.ledger()
        wrong = self.promises.broken_now(ledger)
        assert not wrong, "\n".join(wrong)
        return ledger

    def check_the_end(self) -> None:
        """Fail unless database, provider and mails agree, and nothing is left to do."""
        ledger = self.check()
        wrong = self.promises.broken_at_the_end(ledger, self.mail.received)
        assert not wrong, "\n".join(wrong)
