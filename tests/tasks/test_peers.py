"""Providers are asked no faster than they like; jobs that must wait for that lose nothing."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from redis import Redis
from sqlalchemy import text

from models import job as ledger
from models import kinds
from providers import registry
from providers.base import OutcomeUnknown, RateLimited
from tasks import base, database_app, peers
from tasks.base import drain, perform
from tasks.breaker import PeerDownError
from tasks.bucket import Draw, ThrottledError
from tasks.doorbell import channel, redis_client
from tests import jobs, settings_of, shop
from tests.sandbox.process import StripeProcess

SECOND = 1_000_000

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def redis() -> "Iterator[Redis]":
    with redis_client(timeout=5) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Has the shop run with other settings."""

    def change(**values: Any) -> None:
        settings_of.changed(monkeypatch, **values)
        registry.get.cache_clear()

    yield change
    registry.get.cache_clear()


@pytest.fixture
def set_rate(set_up: Callable[..., None]) -> Callable[[int], None]:
    return lambda per_second: set_up(stripe_requests_per_second=per_second)


class Adapter:
    """Answers as told; its methods are named as those of a real one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    def create(self) -> str:
        return self._answer("create")

    def fetch(self) -> str:
        return self._answer("fetch")

    def _answer(self, call: str) -> str:
        self.asked.append(call)
        if self.error is not None:
            raise self.error
        return "yes"


def _work(
    monkeypatch: pytest.MonkeyPatch, *calls: Callable[[], str], provider: str = "stripe"
) -> None:
    """Let the kind of the trial be to make these calls."""

    def work_that_calls(work: base.Work) -> None:
        for call in calls:
            work.outside(peers.provider(provider), call)
        work.skip("asked")

    jobs.declare(monkeypatch, work_that_calls)


def _due_in() -> float:
    """In how many seconds the one job is due that is waiting."""
    ((pause,),) = shop.sql("SELECT run_at - clock_timestamp() FROM job WHERE state = 'ready'")
    return float(pause.total_seconds())


def _throttled(call: str) -> float:
    labels = {"provider": "stripe", "call": call}
    return REGISTRY.get_sample_value("orders_provider_throttled_total", labels) or 0.0


# --- what the provider says ---


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [(30.0, 30, 37.5), (7200.0, 60, 75), (None, 1, 2.5), (0.0, 1, 2.5)],
)
def test_a_job_that_meets_a_limit_is_handed_back_uncounted(
    monkeypatch: pytest.MonkeyPatch, retry_after: float | None, least: float, most: float
) -> None:
    adapter = Adapter(RateLimited("slower", retry_after))
    _work(monkeypatch, adapter.create)

    perform(jobs.stage())

    assert shop.sql("SELECT state, attempts, last_error FROM job") == [
        ("ready", 0, "ThrottledError: slower")
    ]
    assert least - 1 < _due_in() <= most
    assert shop.sql("SELECT count(*) FROM job_attempt") == [(0,)]


def test_others_do_not_ask_meanwhile_at_that_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Adapter(RateLimited("slower", 30))
    _work(monkeypatch, adapter.create)
    perform(jobs.stage("first"))
    adapter.error = None
    peers.provider.cache_clear()  # as another process, which was not told
    before = _throttled("create")

    perform(jobs.stage("second"))
    assert adapter.asked == ["create"]
    assert shop.sql("SELECT state, attempts FROM job") == [("ready", 0)] * 2
    assert _throttled("create") == before + 1

    assert peers.provider("stripe").call(adapter.fetch) == "yes"


def test_a_limit_is_an_answer_to_the_breaker() -> None:
    silence, limit = Adapter(OutcomeUnknown("nothing")), Adapter(RateLimited("slower"))
    provider = peers.provider("stripe")
    for _ in range(4):
        with pytest.raises(OutcomeUnknown):
            provider.call(silence.create)
    with pytest.raises(ThrottledError):
        provider.call(limit.fetch)
    for _ in range(4):
        with pytest.raises(OutcomeUnknown):
            provider.call(silence.create)

    silence.error = None
    assert provider.call(silence.create) == "yes"


def test_a_token_that_is_not_there_says_nothing_about_the_peer() -> None:
    silence, limit = Adapter(OutcomeUnknown("nothing")), Adapter(RateLimited("slower", 30))
    provider = peers.provider("stripe")
    with pytest.raises(ThrottledError):
        provider.call(limit.fetch)
    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            provider.call(silence.create)

    with pytest.raises(ThrottledError):
        provider.call(limit.fetch)
    with pytest.raises(PeerDownError):
        provider.call(silence.create)


def test_a_real_429_of_stripes_costs_no_try(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    shop.make_item()
    order = shop.place(client)
    stripe_sandbox.fault("payment_intents.create", "fail_before", status=429, retry_after=7)
    shop.start(client, order)
    drain()
    assert shop.sql("SELECT state, attempts FROM job") == [("ready", 0)]
    assert shop.sql("SELECT state FROM payment") == [("sent",)]
    assert 6 < _due_in() <= 9


# --- who goes first ---


def _draws(call: str, *, is_hurried: bool = True) -> list[Draw]:
    provider = peers.provider("stripe")
    return list((provider if is_hurried else provider.unhurried())._draws(call))


def _per_second(draws: Sequence[Draw], what: str) -> float:
    return min(SECOND / each.interval for each in draws if what in each.bucket)


def test_opening_goes_first_and_closing_has_half(set_rate: Callable[[int], None]) -> None:
    set_rate(20)

    for call, hurry, rate in [
        ("create", True, 20),
        ("capture", True, 20),
        ("refund", True, 20),
        ("create", False, 10),
        ("close", True, 10),
        ("close", False, 10),
        ("fetch", True, 10),
        ("list", True, 10),
    ]:
        assert _per_second(_draws(call, is_hurried=hurry), f"stripe:{call}") == rate

    opening, *others = [
        draw.depth
        for call, hurry in [
            ("create", True),
            ("create", False),
            ("capture", True),
            ("refund", True),
            ("close", True),
            ("fetch", True),
            ("list", True),
        ]
        for draw in _draws(call, is_hurried=hurry)
        if draw.bucket == "bucket:stripe:account"
    ]
    assert opening == SECOND // 5
    assert set(others) == {SECOND // 10}


def test_no_second_sees_more_calls_than_stripe_takes(set_rate: Callable[[int], None]) -> None:
    set_rate(20)
    draws = _draws("create")
    assert _per_second(draws, "account") == 20
    assert [(SECOND + draw.depth) / draw.interval for draw in draws] == [24, 24]


def test_an_account_that_is_live_may_be_asked_more(set_up: Callable[..., None]) -> None:
    set_up(app_env="production", stripe_requests_per_second=20)

    assert _per_second(_draws("create"), "account") == 80
    assert _per_second(_draws("create"), "stripe:create") == 20


def test_each_provider_is_asked_at_its_own_pace(set_up: Callable[..., None]) -> None:
    set_up(stripe_requests_per_second=20, paypal_requests_per_second=8)
    for name, rate in (("stripe", 20), ("paypal", 8)):
        draws = list(peers.provider(name)._draws("create"))
        assert _per_second(draws, f"{name}:create") == rate
        assert _per_second(draws, f"{name}:account") == rate


def test_who_asks_one_provider_too_often_may_ask_another() -> None:
    with pytest.raises(ThrottledError):
        peers.provider("stripe").call(Adapter(RateLimited("slower", 30)).create)
    assert peers.provider("paypal").call(Adapter().create) == "yes"


def test_a_page_of_a_list_is_a_call_of_its_own(redis: "Redis") -> None:
    provider = peers.provider("stripe")
    provider.call(lambda: next(iter("pages")))
    provider.call(Adapter().fetch)

    names = {"account", "list", "list:half", "fetch", "fetch:half"}
    assert set(redis.keys("*:bucket:*")) == {
        channel(f"bucket:stripe:{name}").encode() for name in names
    }


# --- a crowd ---


def _states() -> dict[str, int]:
    return dict(shop.sql("SELECT state, count(*) FROM payment GROUP BY state"))


@pytest.fixture
def strict(stripe_sandbox: StripeProcess) -> StripeProcess:
    """The provider with Stripe's own limit."""
    stripe_sandbox.control("config", {"requests_per_second": 25})
    return stripe_sandbox


def _open(client: FlaskClient, strict: StripeProcess, crowd: int) -> list[int]:
    """Open so many payments, all waiting at once; what the provider answered."""
    shop.make_item(units=200)
    for _ in range(crowd):
        assert shop.start(client, shop.place(client)).status_code == 202
    logged = len(strict.read("requests"))

    def work_off() -> bool:
        shop.at_once(lambda _: drain(), 4)
        return _states() == {"open": crowd}

    shop.await_that(work_off)
    assert shop.sql("SELECT DISTINCT state, attempts FROM job") == [("done", 1)]
    return [each["status"] for each in strict.read("requests")[logged:]]


def test_a_crowd_of_payments_is_opened_without_a_429(
    client: FlaskClient, strict: StripeProcess, set_rate: Callable[[int], None]
) -> None:
    set_rate(20)
    before = _throttled("create")

    assert _open(client, strict, crowd=60) == [200] * 60
    assert _throttled("create") > before


def test_without_the_limit_a_crowd_meets_429_and_is_opened_all_the_same(
    client: FlaskClient, strict: StripeProcess, set_rate: Callable[[int], None]
) -> None:
    set_rate(1000)
    strict.control("config", {"requests_per_second": 10})

    answers = _open(client, strict, crowd=30)

    assert answers.count(200) == 30
    assert 429 in answers


# --- a provider that is down ---


def _cannot_answer(provider: peers.Provider) -> None:
    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            provider.call(Adapter(OutcomeUnknown("nothing")).create)


def _try_again_now(provider: peers.Provider) -> None:
    provider._breaker._open_until = 0.0


def test_while_a_provider_is_down_orders_are_taken_and_their_payments_wait(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    shop.make_item(units=200)
    stripe_sandbox.fault("payment_intents.create", "cut", times=None)
    for _ in range(9):
        assert shop.start(client, shop.place(client)).status_code == 202
    drain()

    assert _states() == {"unknown": 5, "sent": 4}
    tries = "SELECT attempts, count(*) FROM job WHERE state = 'ready' GROUP BY attempts"
    assert dict(shop.sql(tries)) == {1: 5, 0: 4}

    stripe_sandbox.control("faults", method="DELETE")
    shop.let_pass(minutes=1)
    _try_again_now(peers.provider("stripe"))
    drain()
    assert _states() == {"open": 9}


@pytest.mark.parametrize("noun", ["payments", "refunds", "disputes"])
def test_when_a_provider_is_back_what_waited_for_it_is_due(
    monkeypatch: pytest.MonkeyPatch, noun: str
) -> None:
    jobs.declare(monkeypatch)
    with shop.database() as session:
        ledger.stage(session, f"{noun}.refresh", key="waiting", payment_id=1)
        ((job_id,),) = session.execute(text("SELECT id FROM job"))
        lease = ledger.claim(session, job_id, "worker")
        assert lease is not None
        ledger.put_back(session, lease, "no answer", timedelta(hours=1))
    provider = peers.provider("stripe")
    _cannot_answer(provider)
    _try_again_now(provider)

    with database_app.app_context():
        provider.call(Adapter().create)

    assert _due_in() <= 0


def test_every_kind_that_speaks_to_a_provider_is_pulled_forward() -> None:
    speakers = {
        name.partition(".")[0]
        for name, kind in kinds.KINDS.items()
        if "peers.provider(" in inspect.getsource(inspect.getmodule(kind.function) or peers)
    }

    assert speakers
    assert speakers <= peers.PROVIDER_NOUNS
