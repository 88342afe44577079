"""Faults 1 to 16: the API process, and what it stands on, while a request runs."""

import socket
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from tests.faults.harness import Harness
from tests.faults.load import Buyer, persist
from tests.shop import at_once, line, order_body

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240)]
slow = pytest.mark.faults


def _orders_of(product: Harness, buyer: Buyer) -> int:
    return len(product.sql("SELECT 1 FROM orders WHERE email = %s", buyer.email))


def _placing(buyer: Buyer) -> tuple[bytes, bytes]:
    """What the trap is for: placing, and its commit with it, is one message, which has the key."""
    return buyer.key.encode(), buyer.key.encode()


@slow
def test_01_web_killed_before_commit_leaves_no_trace_and_the_retry_orders_once(
    faulty: Harness,
) -> None:
    buyer = faulty.buyer()
    with faulty.web_to_database.set_trap(
        *_placing(buyer), is_sent=False, act=faulty.kill_web
    ) as trap:
        with pytest.raises(requests.ConnectionError):
            buyer.try_to_place()
        trap.wait()
    assert _orders_of(faulty, buyer) == 0

    buyer.buy()

    assert _orders_of(faulty, buyer) == 1


def test_02_web_killed_after_commit_and_before_the_bell_is_no_loss(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.web_to_database.set_trap(
        buyer.key.encode(), b"COMMIT", is_sent=True, act=faulty.kill_web
    ) as trap:
        with pytest.raises(requests.ConnectionError):
            buyer.try_to_start_payment()
        trap.wait()

    faulty.until(
        lambda: faulty.job("payments.create_intent", buyer.order["id"]).get("state") == "done",
        "the relay rang for the job that nobody rang for",
    )
    buyer.start_payment()
    buyer.follow()
    buyer.pay()


@slow
def test_03_web_killed_after_the_bell_and_before_the_answer_orders_once(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.web_to_broker.set_trap(
        b"LPUSH", b"payments.create_intent", is_sent=True, act=faulty.kill_web
    ) as trap:
        with pytest.raises(requests.ConnectionError):
            buyer.try_to_start_payment()
        trap.wait()

    buyer.start_payment()
    buyer.follow()
    buyer.pay()


@slow
def test_04_twenty_requests_at_once_with_one_key_are_one_order(faulty: Harness) -> None:
    buyer = faulty.buyer()

    answers = at_once(lambda _: buyer.try_to_place(), 20)

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    assert _orders_of(faulty, buyer) == 1


@slow
def test_05_the_same_key_with_another_body_is_refused_and_changes_nothing(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()

    answer = buyer.try_to_place(quantity=2)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert _orders_of(faulty, buyer) == 1


@slow
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_06_a_client_that_hangs_up_leaves_a_whole_order_or_none(
    faulty: Harness, share: float
) -> None:
    buyer = faulty.buyer()
    body = order_body("TSHIRT-BLUE", 1, guest_email=buyer.email)
    request = requests.Request(
        "POST", f"{buyer.web}/orders/create/", json=body, headers={"Idempotency-Key": buyer.key}
    ).prepare()
    assert isinstance(request.body, bytes)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    words = f"POST /orders/create/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode()

    with socket.create_connection(("127.0.0.1", urlsplit(buyer.web).port or 0)) as line_:
        line_.sendall(words + request.body[: int(len(request.body) * share)])

    buyer.buy()
    assert _orders_of(faulty, buyer) == 1


@slow
@pytest.mark.parametrize("state", ["dead", "half_open", "full"])
def test_07_08_10_orders_and_payments_are_taken_without_a_broker(
    faulty: Harness, state: str
) -> None:
    buyers = [faulty.buyer() for _ in range(4)]
    _without_broker(faulty, state, buyers)

    for buyer in buyers:
        buyer.follow()
        buyer.pay()


def _without_broker(faulty: Harness, state: str, buyers: list[Buyer]) -> None:
    if state == "dead":
        faulty.valkey.kill()
        _order(buyers)
        faulty.valkey.start()
    elif state == "half_open":
        with faulty.web_to_broker.mute():
            _order(buyers)
    else:
        with faulty.broker() as broker:
            broker.config_set("maxmemory", "1")
            _order(buyers)
            broker.config_set("maxmemory", "0")


def _order(buyers: list[Buyer]) -> None:
    """Each asks once: no patience is needed."""
    for buyer in buyers:
        buyer.order = _expect(201, buyer.try_to_place())
        buyer.payment = _expect(202, buyer.try_to_start_payment())


def _expect(status: int, answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json())


@slow
def test_09_a_bell_that_was_heard_but_seemed_lost_has_one_effect(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.web_to_broker.set_trap(b"LPUSH", b"payments.create_intent", is_sent=True) as trap:
        buyer.start_payment()
        trap.wait()

    buyer.follow()
    buyer.pay()

    assert faulty.job("payments.create_intent", buyer.order["id"])["attempts"] == 1


@slow
def test_11_without_a_database_the_answer_is_503_and_web_recovers_by_itself(
    faulty: Harness,
) -> None:
    buyer, web = faulty.buyer(), faulty.children("web")
    faulty.postgresql.kill()
    refused = buyer.try_to_place()
    faulty.postgresql.start()

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert "Retry-After" in refused.headers
    buyer.buy()
    assert faulty.children("web") == web


@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
def test_12_a_connection_cut_at_commit_is_never_two_orders(
    faulty: Harness, *, is_sent: bool
) -> None:
    buyer = faulty.buyer()
    with faulty.web_to_database.set_trap(*_placing(buyer), is_sent=is_sent) as trap:
        answer = buyer.try_to_place()
        trap.wait()
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert _orders_of(faulty, buyer) == (1 if is_sent else 0)

    buyer.buy()

    assert _orders_of(faulty, buyer) == 1


@slow
def test_13_an_exhausted_pool_answers_503_and_does_not_hang(faulty: Harness) -> None:
    buyers = [faulty.buyer() for _ in range(40)]
    with psycopg.connect(faulty.run["database_url"]) as holder:
        holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        answers = at_once(lambda number: buyers[number].try_to_place(), len(buyers))
        holder.rollback()

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "busy")}
    assert "the database is busy: TimeoutError" in faulty.log("web"), "the pool was never empty"
    for buyer in buyers[:4]:
        buyer.buy()


@slow
def test_14_of_fifty_buyers_five_get_the_five_that_are_left(faulty: Harness) -> None:
    buyers = [faulty.buyer() for _ in range(50)]
    line_ = line("CARDS-SET", 1, unit_price="8.00")

    def order(number: int) -> requests.Response:
        return persist(lambda: buyers[number].try_to_place(items=[line_]))

    answers = at_once(order, len(buyers))

    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 45}
    for buyer, answer in zip(buyers, answers, strict=True):
        if answer.status_code == 201:
            buyer.order = answer.json()
            buyer.start_payment()
            buyer.follow()
            buyer.pay()


@slow
@pytest.mark.parametrize(
    ("piece", "price", "redis"),
    [
        ("VASE-RAKU", "125.00", "working"),
        ("WOODCUT-FOX", "95.00", "wiped"),
        ("OIL-LIGHTHOUSE", "480.00", "dead"),
    ],
)
def test_15_a_unique_piece_is_sold_once_whatever_becomes_of_redis(
    faulty: Harness, piece: str, price: str, redis: str
) -> None:
    buyers = [faulty.buyer() for _ in range(8)]
    line_ = line(piece, 1, unit_price=price)
    if redis == "dead":
        faulty.valkey.kill()

    def order(number: int) -> requests.Response:
        if redis == "wiped":
            faulty.wipe_redis()
        return persist(lambda: buyers[number].try_to_place(items=[line_]))

    answers = at_once(order, len(buyers))
    faulty.valkey.start()

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}


@slow
def test_16_baskets_in_opposite_order_meet_no_deadlock(faulty: Harness) -> None:
    buyers = [faulty.buyer() for _ in range(20)]
    basket = [line("TSHIRT-BLUE", 1), line("TSHIRT-BLACK", 1, product_title="Black T-shirt")]

    def order(number: int) -> int:
        items = basket if number % 2 else basket[::-1]
        return buyers[number].try_to_place(items=items).status_code

    assert set(at_once(order, len(buyers))) == {201}
