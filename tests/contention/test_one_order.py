"""One order that is swept, paid, cancelled and refunded, all at once, and a rival for its piece."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import requests
from flask import Flask

from tests import shop
from tests.contention import storm
from tests.contention.processes import gated
from tests.contention.storm import Size
from tests.faults.clerk import Clerk
from tests.faults.load import Buyer
from tests.sandbox.process import StripeProcess

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240)]

_TRIES = 10
_PAUSE_SECONDS = 0.05
_SETTLED_SECONDS = 60
# Mails are not what this is about: nobody takes them.
_UNSETTLED = """
    SELECT kind FROM job WHERE state IN ('ready', 'leased') AND kind <> 'notifications.send'
    UNION ALL SELECT closing FROM orders WHERE closing IS NOT NULL"""


class Story:
    """What happens to one piece."""

    def __init__(self, web: str, stripe: StripeProcess, number: int) -> None:
        self.sku = f"PIECE-{number}"
        shop.make_item(self.sku, 1, is_unique=True)
        self.stripe = stripe
        self.hesitation = number % _TRIES * 4 * _PAUSE_SECONDS
        self.buyer = Buyer(web, stripe.url, f"buyer-{number}@example.com")
        self.rival = Buyer(web, stripe.url, f"rival-{number}@example.com")
        self.buyer.place(sku=self.sku)
        self.buyer.start_payment()

    def pay(self) -> None:
        time.sleep(self.hesitation)
        if self.buyer.try_to_pay().ok:
            events = shop.events_of(self.stripe, self.buyer.payment["client_secret"])
            body = json.dumps(events["payment_intent.succeeded"]).encode()
            headers = {**shop.signature(body), "Content-Type": "application/json"}
            told = requests.post(
                f"{self.buyer.web}/orders/webhook/", data=body, headers=headers, timeout=10
            )
            assert told.status_code == 200, told.text

    def cancel(self) -> None:
        path = f"/orders/cancel/{self.buyer.order['id']}/"
        answer = self.buyer.post(path, {}, **self.buyer._token)
        assert answer.status_code in (200, 202, 409), answer.text

    def refund(self, clerk: Clerk) -> None:
        self._again_and_again(lambda: clerk.refund(self.buyer.payment_id), 200, 202, 409)

    def want_it_too(self) -> None:
        self._again_and_again(lambda: self.rival.try_to_place(sku=self.sku), 201, 409)

    def _again_and_again(self, ask: Callable[[], requests.Response], *expected: int) -> None:
        for _ in range(_TRIES):
            answer = ask()
            assert answer.status_code in expected, answer.text
            time.sleep(_PAUSE_SECONDS)

    def kept(self) -> int:
        """What the provider has taken for the piece and not given back."""
        ledger, intent = self.stripe.ledger(), self.buyer.intent_id
        taken = [each for each in ledger["charges"] if each["payment_intent"] == intent]
        back = [each for each in ledger["refunds"] if each["payment_intent"] == intent]
        captured = sum(charge["amount_captured"] for charge in taken)
        return int(captured - sum(refund["amount"] for refund in back))


def _clerk(web: str) -> Clerk:
    shop.make_user("clerk@example.com", "clerk")
    return Clerk(web, "clerk@example.com", shop.PASSWORD)


def _settle() -> None:
    deadline = time.monotonic() + _SETTLED_SECONDS
    while unsettled := shop.sql(_UNSETTLED):
        assert time.monotonic() < deadline, unsettled
        time.sleep(_PAUSE_SECONDS)


@pytest.mark.usefixtures("app")
def test_an_order_that_is_swept_paid_cancelled_and_refunded_at_once_ends_in_one_way(
    patient_web: str, stripe_sandbox: StripeProcess, size: Size, figures: list[str]
) -> None:
    web = patient_web
    clerk = _clerk(web)
    with ExitStack() as stack:
        workers = [stack.enter_context(gated("work")) for _ in range(2)]
        sweeps = [stack.enter_context(gated("sweep")) for _ in range(2)]
        for process in (*workers, *sweeps):
            process.wait()
        for worker in workers:
            worker.go()
        stories = [Story(web, stripe_sandbox, number) for number in range(size.orders)]
        for story in stories:
            story.buyer.follow()
        shop.let_pass(minutes=16)
        acts: list[Callable[[], object]] = [sweep.go for sweep in sweeps]
        for story in stories:
            acts += [story.pay, story.cancel, story.want_it_too]
            acts.append(lambda story=story: story.refund(clerk))  # type: ignore[misc]
        shop.at_once(lambda number: acts[number](), len(acts))
        _settle()

    ends = shop.sql("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state")
    figures.append(f"{size.orders} orders swept, paid, cancelled and refunded: {dict(ends)}")
    for story in stories:
        status = requests.get(
            f"{web}/orders/{story.buyer.order['id']}/", headers=story.buyer._token, timeout=10
        ).json()["status"]
        assert story.kept() == (1999 if status == "paid" else 0), (status, story.sku)
    assert shop.sql("SELECT id FROM orders WHERE stock_shortage OR needs_review") == []
    assert storm.broken() == []


@pytest.mark.usefixtures("unchecked")
def test_a_sweep_that_does_not_ask_the_provider_frees_what_can_still_be_paid(
    app: Flask, stripe_sandbox: StripeProcess
) -> None:
    client = app.test_client(use_cookies=False)
    shop.make_item("PIECE", 1, is_unique=True)
    shop.open_payment(client, shop.place(client, items=[shop.line("PIECE", 1)]))
    shop.let_pass(minutes=16)

    with gated("sweep", "close_without_asking") as sweep:
        sweep.wait()
        sweep.go()
        sweep.result()

    assert any("ended_has_no_live_payment" in promise for promise in storm.broken())
