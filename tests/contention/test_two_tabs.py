"""One buyer with two tabs, who pays by card in one and by PayPal in the other, at the same time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests

from tests import shop
from tests.contention import storm
from tests.contention.processes import gated, serving, with_many_live_payments
from tests.contention.storm import Size
from tests.sandbox.process import PayPalProcess, SandboxProcess, StripeProcess

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240)]

TOTAL_MINOR = 1999
METHODS = ("paypal", "card")
SELLING = {"PAYMENT_PROVIDERS": "stripe,paypal", "PAYMENT_METHODS": "card,paypal"}
_SETTLED_SECONDS = 60
_PAUSE_SECONDS = 0.05
_WAIT_SECONDS = 10
_UNSETTLED = """
    SELECT kind FROM job WHERE state IN ('ready', 'leased') AND kind <> 'notifications.send'
    UNION ALL SELECT state FROM payment WHERE state IN ('created', 'sent', 'unknown', 'waiting')"""


class Order:
    """An order that may be paid in several tabs."""

    def __init__(self, web: str, stripe: StripeProcess) -> None:
        self._web, self._stripe = web, stripe
        body = shop.order_body(quantity=1)
        answer = requests.post(f"{web}/orders/create/", json=body, timeout=_WAIT_SECONDS)
        assert answer.status_code == 201, answer.text
        self._placed = answer.json()
        self._token = {"Authorization": f"Bearer {self._placed['token']}"}

    @property
    def status(self) -> str:
        path = f"{self._web}/orders/{self._placed['id']}/"
        return str(requests.get(path, headers=self._token, timeout=_WAIT_SECONDS).json()["status"])

    def choose(self, method: str) -> dict[str, Any] | None:
        """Choose it again and again until there is something to pay by, or money on its way."""
        path = f"{self._web}/orders/start-payment/{self._placed['id']}/"
        deadline = time.monotonic() + _SETTLED_SECONDS
        while time.monotonic() < deadline:
            way = {"payment_method": method}
            answer = requests.post(path, json=way, headers=self._token, timeout=_WAIT_SECONDS)
            if answer.status_code != 202:
                assert answer.status_code in (200, 409), answer.text
                return answer.json() if answer.ok else None
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(answer.text)

    def pay(self, payment: dict[str, Any] | None) -> None:
        """Pay by what was found, whatever has been chosen since."""
        if payment and payment["client_secret"]:
            shop.pay(self._stripe, payment["client_secret"], may_be_closed=True)
        elif payment and payment["redirect_url"]:
            requests.post(
                payment["redirect_url"],
                data={"answer": "approve", "funding": "pays"},
                timeout=_WAIT_SECONDS,
                allow_redirects=False,
            )

    def kept(self, stripe: StripeProcess, paypal: PayPalProcess) -> int:
        """What all providers have taken for it and not given back."""
        ((ids,),) = shop.sql(
            "SELECT array_agg(provider_payment_id) FROM payment WHERE order_id = :id",
            id=self._placed["id"],
        )
        cards, wallets = stripe.ledger(), paypal.ledger()
        taken = [each["amount_captured"] for each in cards["charges"] if _of(each, ids)]
        taken += [_minor(each) for each in wallets["captures"] if each["order"] in ids]
        back = [each["amount"] for each in cards["refunds"] if _of(each, ids)]
        back += [_minor(each) for each in wallets["refunds"] if each["order"] in ids]
        return int(sum(taken) - sum(back))


def _of(entry: dict[str, Any], ids: Sequence[str]) -> bool:
    return entry["payment_intent"] in ids


def _minor(entry: dict[str, Any]) -> int:
    return round(float(entry["amount"]) * 100)


@pytest.fixture
def providers(
    app: object,
    stripe_sandbox: StripeProcess,
    paypal_sandbox: PayPalProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[StripeProcess, PayPalProcess]:
    """Both, emptied; workers, which inherit this environment, know of both."""
    for name, value in SELLING.items():
        monkeypatch.setenv(name, value)
    for sandbox in (stripe_sandbox, paypal_sandbox):
        sandbox.control("reset")
    shop.make_item(units=100)
    return stripe_sandbox, paypal_sandbox


@contextmanager
def _told_by(web: str, providers: Sequence[SandboxProcess]) -> Iterator[None]:
    """Have the shop told by events of what happens."""
    for name, sandbox in zip(("stripe", "paypal"), providers, strict=True):
        sandbox.control("config", {"webhook_url": f"{web}/orders/webhook/{name}/"})
    try:
        yield
    finally:
        for sandbox in providers:
            sandbox.control("config", {"webhook_url": None})


@pytest.fixture(scope="session")
def web(product: object) -> Iterator[str]:
    """Where two web processes listen that sell by both providers, and turn nobody away."""
    with serving(**SELLING, LONGEST_QUEUE_SECONDS="0") as url:
        yield url


def _paid(
    web: str,
    providers: tuple[StripeProcess, PayPalProcess],
    orders: int,
    pay: Callable[[Sequence[Order]], object],
    guard: str = "none",
) -> list[Order]:
    """Have so many orders paid so, and let everything come to rest."""
    with ExitStack() as stack:
        workers = [stack.enter_context(gated("work", guard)) for _ in range(2)]
        stack.enter_context(_told_by(web, providers))
        for worker in workers:
            worker.wait()
            worker.go()
        placed = [Order(web, providers[0]) for _ in range(orders)]
        pay(placed)
        _settle(providers)
        assert {order.status for order in placed} == {"paid"}
    return placed


def _in_two_tabs_at_once(placed: Sequence[Order]) -> None:
    tabs = [(order, method) for order in placed for method in METHODS]

    def buy(number: int) -> None:
        order, method = tabs[number]
        order.pay(order.choose(method))

    shop.at_once(buy, len(tabs))


def _in_one_tab_after_the_other(placed: Sequence[Order]) -> None:
    for order in placed:
        for payment in [order.choose(method) for method in METHODS]:
            order.pay(payment)


def _settle(providers: Sequence[SandboxProcess]) -> None:
    """A minute: so long money that came twice may take to be given back."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    while unsettled := [*shop.sql(_UNSETTLED), *_untold(providers)]:
        assert time.monotonic() < deadline, unsettled
        time.sleep(_PAUSE_SECONDS)


def _untold(providers: Sequence[SandboxProcess]) -> list[Any]:
    return [
        each["type"]
        for sandbox in providers
        for each in sandbox.read("deliveries")
        if each["status"] != "delivered"
    ]


def test_two_tabs_that_pay_by_two_providers_at_once_pay_once(
    web: str, providers: tuple[StripeProcess, PayPalProcess], size: Size, figures: list[str]
) -> None:
    placed = _paid(web, providers, size.orders, _in_two_tabs_at_once)

    assert [order.kept(*providers) for order in placed] == [TOTAL_MINOR] * len(placed)
    given_back = sum(len(each.ledger()["refunds"]) for each in providers)
    figures.append(f"{len(placed)} orders in two tabs: {given_back} payments were given back")
    assert storm.broken() == []


def test_with_one_live_payment_what_was_left_in_the_other_tab_takes_no_money(
    web: str, providers: tuple[StripeProcess, PayPalProcess]
) -> None:
    (order,) = _paid(web, providers, 1, _in_one_tab_after_the_other)
    assert order.kept(*providers) == TOTAL_MINOR
    assert providers[1].ledger()["captures"] == []


def test_without_one_live_payment_two_tabs_pay_twice(
    providers: tuple[StripeProcess, PayPalProcess],
) -> None:
    with with_many_live_payments():
        careless = "begin_beside_and_keep_all"
        with serving(careless, **SELLING, LONGEST_QUEUE_SECONDS="0") as url:
            (order,) = _paid(url, providers, 1, _in_one_tab_after_the_other, careless)
        assert order.kept(*providers) == 2 * TOTAL_MINOR
