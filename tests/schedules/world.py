"""The world of a schedule: a shop with few goods, its providers, and one clock for all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import pytest
import redis
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
from tests.schedules.promises import Promises
from tests.schedules.provider import Books, Document, Provider

SHIRT, CUP, PIECE = "TSHIRT-BLUE", "CUP", "PAINTING"
METHODS = ("card", "klarna", "paypal")
_MOST_JOBS = 60

News = tuple[Provider, Document]
"""An event and who tells it."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How the shop is set up, and how well its providers' search and webhooks work."""

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
        providers: Sequence[Provider],
        mail: MailServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.client, self.mail = client, mail
        self.providers = {each.name: each for each in providers}
        self.ways = Ways()
        self._chosen = self._base = settings.current()
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
            self._base,
            payment_providers=tuple(self.providers),
            payment_methods=METHODS,
            payment_capture=ways.capture,
            late_payment_policy=ways.late_policy,
        )
        empty_the_shop()
        for each in self.providers.values():
            each.begin(search_lag_seconds=ways.search_lag_seconds)
        self.mail.received.clear()
        self._forget_the_moment()
        shop.make_item(SHIRT, units=4)
        shop.make_item(CUP, units=3, unit_price_minor=500)
        shop.make_item(PIECE, units=1, is_unique=True)
        self._begin_comparing()

    def _begin_comparing(self) -> None:
        """As in a shop that has been open for an hour: no comparison is the first one ever."""
        with shop.database() as session:
            for name, compared in product(self.providers, get_args(Compared)):
                session.add(Reconciliation(provider=name, compared=compared, complete_at=now()))

    # The providers.

    def books(self) -> Books:
        """All that every provider holds of our money."""
        return sum((each.books() for each in self.providers.values()), Books())

    def news(self) -> list[News]:
        """The events that have happened since this was asked last, of each provider in turn."""
        return [(each, event) for each in self.providers.values() for event in each.news()]

    def deliver(self, news: News) -> None:
        """Have the shop told."""
        provider, event = news
        provider.deliver(self.client, event)

    # Time, and who works in it.

    def let_pass(self, seconds: int) -> None:
        """Move all clocks on; what waits for minutes has waited enough."""
        shop.let_pass(seconds=seconds)
        for each in self.providers.values():
            each.let_pass(seconds)
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
        for each in self.providers.values():
            each.close()

    # What must be true.

    def check(self) -> Books:
        """Fail if anything is wrong at this moment; the providers' books."""
        books = self.books()
        wrong = self.promises.broken_now(books)
        assert not wrong, "\n".join(wrong)
        return books

    def check_the_end(self) -> None:
        """Fail unless database, providers and mails agree, and nothing is left to do."""
        books = self.check()
        wrong = self.promises.broken_at_the_end(books, self.mail.received)
        assert not wrong, "\n".join(wrong)
