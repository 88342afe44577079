"""Another choice: the earlier payment is closed before the next begins, and money comes once."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from models import starting
from models.starting import Way
from tasks.base import drain
from tests import shop, telling
from tests.sandbox.process import StripeProcess

CARD, KLARNA = {"payment_method": "card"}, {"payment_method": "klarna"}


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item(units=100)
    return shop.place(client)


def states() -> list[tuple[str, str]]:
    """Method and state of each payment, oldest first."""
    return shop.sql("SELECT method, state FROM payment ORDER BY id")


def status_of(client: FlaskClient, order: dict[str, Any], payment_id: int) -> str:
    path = f"/orders/payments/{payment_id}/"
    return str(shop.body_of(client.get(path, headers=shop.bearer(order)))["status"])


def test_the_next_payment_waits_until_the_earlier_one_is_closed(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, CARD)
    drain()

    chosen = shop.choose(client, order, KLARNA)

    promised = shop.body_of(chosen)
    assert (chosen.status_code, promised["status"]) == (202, "waiting")
    assert "Location" in chosen.headers
    assert states() == [("card", "open"), ("klarna", "waiting")]
    shop.run_jobs("payments.close")
    assert states() == [("card", "cancelled"), ("klarna", "created")]
    drain()
    assert states() == [("card", "cancelled"), ("klarna", "requires_action")]
    intents = [each["status"] for each in stripe_sandbox.ledger()["payment_intents"][-2:]]
    assert intents == ["canceled", "requires_action"]


def test_what_no_provider_has_heard_of_is_replaced_at_once(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    shop.choose(client, order, CARD)
    assert shop.body_of(shop.choose(client, order, KLARNA))["status"] == "created"
    assert states() == [("card", "cancelled"), ("klarna", "created")]


@pytest.mark.parametrize("way", [{}, KLARNA])
def test_the_same_choice_or_none_is_the_payment_that_waits(
    client: FlaskClient, order: dict[str, Any], way: dict[str, str]
) -> None:
    shop.choose(client, order, CARD)
    drain()
    waiting = shop.body_of(shop.choose(client, order, KLARNA))

    assert shop.body_of(shop.choose(client, order, way)) == waiting


def test_the_last_choice_wins(client: FlaskClient, order: dict[str, Any]) -> None:
    shop.choose(client, order, CARD)
    drain()
    shop.choose(client, order, KLARNA)
    back = shop.body_of(shop.choose(client, order, CARD))

    drain()

    assert states() == [("card", "cancelled"), ("klarna", "cancelled"), ("card", "open")]
    assert status_of(client, order, back["payment_id"]) == "open"


def test_without_a_choice_an_open_payment_of_any_method_is_the_one(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    shop.choose(client, order, KLARNA)
    opened = shop.redirected(client, order)
    assert shop.body_of(shop.start(client, order))["payment_id"] == opened["payment_id"]


@pytest.mark.parametrize("state", ["processing", "authorised"])
def test_while_the_money_is_under_way_there_is_nothing_to_choose(
    client: FlaskClient, order: dict[str, Any], state: str
) -> None:
    payment_id = telling.sent_payment(client, order)
    telling.tell(payment_id, state)

    answer = shop.choose(client, order, KLARNA)

    assert (answer.status_code, shop.body_of(answer)["code"]) == (409, "payment_in_progress")
    assert shop.sql("SELECT count(*) FROM payment") == [(1,)]


def test_money_that_was_faster_pays_the_order_and_the_next_payment_never_begins(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, CARD)
    drain()
    secret = shop.body_of(shop.choose(client, order, CARD))["client_secret"]
    shop.choose(client, order, KLARNA)
    shop.pay(stripe_sandbox, secret)

    drain()

    assert states() == [("card", "succeeded"), ("klarna", "cancelled")]
    assert shop.look(client, order)["status"] == "paid"
    assert money_of(stripe_sandbox, order) == (1, 3998)


def test_a_payment_that_cannot_be_closed_yet_keeps_the_next_one_waiting(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, CARD)
    drain()
    secret = shop.body_of(shop.choose(client, order, CARD))["client_secret"]
    shop.pay(stripe_sandbox, secret, "pm_card_processing")
    shop.choose(client, order, KLARNA)

    shop.run_jobs("payments.close")

    assert states() == [("card", "processing"), ("klarna", "waiting")]
    stripe_sandbox.control(f"payment_intents/{secret.partition('_secret_')[0]}/finish_processing")
    shop.let_pass(hours=1)
    shop.run_jobs("payments.close")
    assert states() == [("card", "succeeded"), ("klarna", "cancelled")]


def test_an_order_that_is_called_off_takes_the_waiting_payment_with_it(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    shop.choose(client, order, CARD)
    drain()
    shop.choose(client, order, KLARNA)

    client.post(f"/orders/cancel/{order['id']}/", json={}, headers=shop.bearer(order))
    drain()

    assert states() == [("card", "cancelled"), ("klarna", "cancelled")]
    assert shop.look(client, order)["status"] == "cancelled"


def test_a_payment_whose_answer_was_lost_is_found_and_closed_first(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, CARD)
    stripe_sandbox.fault("payment_intents.create", "accept_then_cut")
    shop.run_jobs("payments.create_intent")
    assert states() == [("card", "unknown")]
    shop.choose(client, order, KLARNA)

    for _ in range(2):
        shop.let_pass(hours=1)
        drain()

    assert states() == [("card", "cancelled"), ("klarna", "requires_action")]


# --- two tabs ---


def money_of(stripe_sandbox: StripeProcess, order: dict[str, Any]) -> tuple[int, int]:
    """How often the provider took money for the order, and how much of it is left."""
    ours = str(order["id"])
    taken = [
        each
        for each in stripe_sandbox.ledger()["charges"]
        if each["metadata"].get("order_id") == ours and each["amount_captured"]
    ]
    return len(taken), sum(each["amount_captured"] - each["amount_refunded"] for each in taken)


class Tab:
    """A browser tab in which somebody chooses a way to pay and pays as soon as that is possible."""

    def __init__(self, app: Flask, sandbox: StripeProcess, order: dict[str, Any]) -> None:
        self.client = app.test_client(use_cookies=False)
        self.sandbox, self.order = sandbox, order

    def choose(self, way: dict[str, str]) -> None:
        answer = shop.patiently(lambda: shop.choose(self.client, self.order, way))
        assert answer.status_code in (200, 202, 409), answer.text

    def pay_all(self) -> None:
        """Pay each payment that ever was payable, also one that is closed by now."""
        for payment in shop.look(self.client, self.order)["payments"]:
            path = f"/orders/payments/{payment['payment_id']}/"
            shown = self.client.get(path, headers=shop.bearer(self.order)).get_json()
            if shown["redirect_url"]:
                page, said = shown["redirect_url"], {"passed": "yes"}
                requests.post(page, data=said, timeout=10, allow_redirects=False)
            elif shown["client_secret"]:
                intent = shown["client_secret"].partition("_secret_")[0]
                requests.post(
                    f"{self.sandbox.url}/_control/payment_intents/{intent}/pay", timeout=10
                )


def two_tabs(app: Flask, sandbox: StripeProcess, order: dict[str, Any]) -> None:
    """Choose in two tabs at once, over and over, pay whatever can be paid, and work meanwhile."""
    tabs = [Tab(app, sandbox, order) for _ in range(2)]
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            drain()

    def shop_around(number: int) -> None:
        for turn in range(3):
            tabs[number].choose((CARD, KLARNA)[(number + turn) % 2])
            tabs[number].pay_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        shop.at_once(shop_around, 2)
    finally:
        done.set()
        for worker in workers:
            worker.join()
    drain()
    tabs[0].pay_all()
    shop.tell_all(tabs[0].client, sandbox)


@pytest.mark.parametrize("_round", range(8))
def test_two_tabs_at_once_never_take_money_twice(
    app: Flask, order: dict[str, Any], stripe_sandbox: StripeProcess, _round: int
) -> None:
    two_tabs(app, stripe_sandbox, order)

    assert money_of(stripe_sandbox, order) == (1, 3998)
    assert shop.look(app.test_client(use_cookies=False), order)["status"] == "paid"
    assert shop.sql("SELECT count(*) FROM payment WHERE settles") == [(1,)]
    assert shop.sql("SELECT count(*) FROM refund") == [(0,)]


@pytest.fixture
def careless(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same shop without what keeps the next payment waiting, and without its index."""
    with shop.database() as session:
        ((definition,),) = session.execute(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_payment_live'")
        ).all()
        session.execute(text("DROP INDEX uq_payment_live"))
    monkeypatch.setattr(starting, "_is_closed", lambda _session, _live: True)
    monkeypatch.setattr("models.payment.unended_of", lambda *_: (None, None))
    yield
    with shop.database() as session:
        session.execute(text("UPDATE payment SET state = 'failed' WHERE state <> 'succeeded'"))
        session.execute(text(definition))


def test_without_waiting_money_is_taken_twice_and_the_second_goes_back_by_itself(
    app: Flask, order: dict[str, Any], stripe_sandbox: StripeProcess, careless: None
) -> None:
    tab = Tab(app, stripe_sandbox, order)
    for way in (CARD, KLARNA):
        tab.choose(way)
        drain()

    tab.pay_all()

    assert money_of(stripe_sandbox, order) == (2, 2 * 3998)
    shop.tell_all(tab.client, stripe_sandbox)
    assert money_of(stripe_sandbox, order) == (2, 3998)
    assert shop.sql("SELECT origin, state FROM refund") == [("surplus", "succeeded")]


def test_a_waiting_payment_is_one_of_its_order_whoever_inserts_it(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    shop.choose(client, order, CARD)
    drain()
    shop.choose(client, order, KLARNA)
    with pytest.raises(Exception, match="uq_payment_waiting"), shop.database() as session:
        session.execute(
            text(
                "INSERT INTO payment (order_id, provider, state, settles, amount_minor, currency,"
                " provider_key, received_minor, looks, created_at) SELECT order_id, provider,"
                " 'waiting', false, amount_minor, currency, 'k', 0, 0, created_at FROM payment"
                " WHERE state = 'waiting'"
            )
        )


def test_a_way_says_its_payment_in_the_address_to_come_back_to(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    way = Way(provider="stripe", method="klarna", return_url="https://a.example/{payment_id}")
    with shop.database() as session:
        started = starting.start(session, order["id"], way, who="test")
        assert started.return_url == f"https://a.example/{started.id}"
