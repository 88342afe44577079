"""What only the whole product can show: real processes, real broker, real mail, real webhooks."""

import json
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.shop import signature
from tests.wiring.product import Product

pytestmark = pytest.mark.wiring


def _all_paid(product: Product, orders: list[dict[str, Any]]) -> bool:
    return all(product.status(order) == "paid" for order in orders)


def _ledger(product: Product) -> dict[str, Any]:
    answer = requests.get(f"{product.run['provider_control_url']}/ledger", timeout=30)
    return dict(answer.json())


def test_one_order_can_be_watched_from_placed_to_counted(running: Product) -> None:
    assert "Paid, mailed and counted" in running.order()


def test_a_buyer_pays_with_paypal_on_its_page(running: Product) -> None:
    order = running.place()
    page = running.start_payment(order, "paypal")["redirect_url"]
    assert page.startswith(running.run["base_urls"]["paypal"])

    form = {"answer": "approve", "funding": "pays"}
    answer = requests.post(page, data=form, allow_redirects=False, timeout=30)

    assert answer.headers["Location"].startswith(running.run["base_urls"]["shop"])
    running.until(lambda: _all_paid(running, [order]), "the order is paid")
    ledger = requests.get(f"{running.run['base_urls']['paypal']}/_control/ledger", timeout=30)
    (mine,) = (
        each
        for each in ledger.json()["captures"]
        if page.endswith(each["order"]) and each["status"] == "COMPLETED"
    )
    assert f"{mine['amount']} {mine['currency']}" == f"{order['total']} {order['currency']}"


def test_ten_orders_at_once_all_end_paid_and_mailed_once_with_exact_stock(
    running: Product,
) -> None:
    shirts = "SELECT stock, held FROM stock_item WHERE sku = 'TSHIRT-BLUE'"
    ((stock_before, held_before),) = running.sql(shirts)
    buyers = [f"buyer-{number}@example.com" for number in range(10)]

    with ThreadPoolExecutor(10) as crowd:
        orders = list(crowd.map(lambda buyer: running.buy(guest_email=buyer), buyers))
    running.until(lambda: _all_paid(running, orders), "ten orders are paid")
    running.until(lambda: all(running.mails(buyer) for buyer in buyers), "all mails are there")
    running.until(
        lambda: not running.sql("SELECT 1 FROM job WHERE state IN ('ready', 'leased')"),
        "the ledger is quiet",
    )

    assert [len(running.mails(buyer)) for buyer in buyers] == [1] * 10
    assert running.sql(shirts) == [(stock_before - 10, held_before)]


def test_the_providers_ledger_equals_ours_to_the_cent(running: Product) -> None:
    order = running.buy()
    running.until(lambda: _all_paid(running, [order]), "the order is paid")

    settling = "FROM payment WHERE settles AND provider = 'stripe'"
    theirs = Counter(
        (charge["payment_intent"], charge["amount"])
        for charge in _ledger(running)["charges"]
        if charge["status"] == "succeeded"
    )
    running.until(
        lambda: len(running.sql(f"SELECT 1 {settling}")) == theirs.total(),
        "every charge is booked",
    )
    ours = running.sql(f"SELECT provider_payment_id, received_minor {settling}")
    assert Counter(ours) == theirs
    totals = running.sql(
        "SELECT sum(total_minor) FROM orders WHERE state = 'paid'"
        f" AND id IN (SELECT order_id {settling})"
    )
    assert totals == [(sum(amount for _, amount in theirs.elements()),)]


def test_start_payment_is_answered_in_one_call(running: Product) -> None:
    order = running.place()

    answer = running.post(
        f"/orders/start-payment/{order['id']}/",
        json={},
        headers={"Authorization": f"Bearer {order['token']}", "Prefer": "wait=20"},
    )

    assert answer.status_code == 200
    assert answer.json()["client_secret"].startswith("pi_")
    assert answer.headers["Preference-Applied"] == "wait=20"


def test_a_webhook_delivered_five_times_at_once_has_one_effect(running: Product) -> None:
    order = running.place()
    payment = running.start_payment(order)
    control = running.run["provider_control_url"]
    requests.post(f"{control}/deliveries", json={"mode": "drop"}, timeout=30).raise_for_status()
    try:
        running.pay(payment)
    finally:
        requests.post(f"{control}/deliveries", json={"mode": "normal"}, timeout=30)
    event = _event_of(running, payment, "payment_intent.succeeded")
    body = json.dumps(event).encode()
    headers = signature(body, running.run["webhook_secret"])

    with ThreadPoolExecutor(5) as crowd:
        answers = list(
            crowd.map(
                lambda _: running.post("/orders/webhook/", data=body, headers=headers), range(5)
            )
        )
    running.until(lambda: _all_paid(running, [order]), "the order is paid")

    assert [answer.status_code for answer in answers] == [200] * 5
    assert Counter(str(answer.json()) for answer in answers) == {
        "{'received': True}": 1,
        "{'skipped': True}": 4,
    }
    paid = "SELECT count(*) FROM journal WHERE order_id = %s AND to_state = 'paid'"
    assert running.sql(paid, order["id"]) == [(1,)]


def _event_of(product: Product, payment: dict[str, Any], type_: str) -> dict[str, Any]:
    intent = payment["client_secret"].partition("_secret_")[0]
    events = requests.get(
        f"{product.run['base_urls']['provider']}/v1/events",
        params={"type": type_, "limit": "100"},
        headers={"Authorization": f"Bearer {product.secret_key}"},
        timeout=30,
    ).json()["data"]
    return next(event for event in events if event["data"]["object"]["id"] == intent)


@pytest.mark.parametrize("broken", ["frozen", "killed"])
def test_orders_and_webhooks_are_taken_without_a_broker_and_finish_after_it_returns(
    running: Product, broken: str
) -> None:
    before = running.place()
    payment = running.start_payment(before)
    if broken == "frozen":
        with running.frozen("valkey"):
            during = _place_and_start(running)
            running.pay(payment)
    else:
        running.kill("valkey")
        during = _place_and_start(running)
        running.pay(payment)

    running.pay(running.start_payment(during))

    running.until(lambda: _all_paid(running, [before, during]), "both orders are paid")


def _place_and_start(product: Product) -> dict[str, Any]:
    order = product.place()
    answer = product.post(
        f"/orders/start-payment/{order['id']}/",
        json={},
        headers={"Authorization": f"Bearer {order['token']}", "Prefer": "respond-async"},
    )
    assert answer.status_code in (200, 202)
    return order


@pytest.mark.parametrize("name", ["worker_payments", "worker_mail", "beat", "web", "postgresql"])
def test_a_process_that_is_killed_comes_back_and_no_order_is_lost(
    running: Product, name: str
) -> None:
    recipient = f"{name}@example.com"
    order = running.place(guest_email=recipient)
    payment = running.start_payment(order)

    running.pay(payment)
    running.kill(name)

    running.until(lambda: _is_answering(running), "the API answers")
    running.until(lambda: _all_paid(running, [order]), "the order is paid")
    running.until(lambda: len(running.mails(recipient)) == 1, "the mail is there")


def _is_answering(product: Product) -> bool:
    try:
        return product.get("/readyz").ok
    except requests.ConnectionError:
        return False


def test_an_order_that_is_not_paid_in_time_expires_and_frees_its_stock(running: Product) -> None:
    order = running.place("VASE-RAKU", items=[_line("VASE-RAKU", "125.00")])
    running.start_payment(order)
    assert running.sql("SELECT status FROM stock_item WHERE sku = 'VASE-RAKU'") == [("reserved",)]

    running.sql("UPDATE orders SET expires_at = now() WHERE id = %s", order["id"])

    running.until(lambda: running.status(order) == "expired", "the order expires")
    assert running.sql("SELECT status FROM stock_item WHERE sku = 'VASE-RAKU'") == [("available",)]
    intents = {
        intent["status"] for intent in _ledger(running)["payment_intents"] if _is_of(intent, order)
    }
    assert intents == {"canceled"}


def _line(sku: str, price: str) -> dict[str, Any]:
    return {"product_title": sku, "product_sku": sku, "unit_price": price, "quantity": 1}


def _is_of(intent: dict[str, Any], order: dict[str, Any]) -> bool:
    return bool(intent["metadata"].get("order_id") == str(order["id"]))


def test_a_connection_serves_one_request_after_the_other_soon_or_late_or_both_at_once(
    running: Product,
) -> None:
    parts = urlsplit(running.run["base_urls"]["web"])
    ask = f"GET /healthz HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as line:
        answers = line.makefile("rb")

        def status() -> int:
            head = b"".join(iter(answers.readline, b"\r\n"))
            (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
            answers.read(int(length))
            return int(head.split()[1])

        for pause, requests_at_once in ((0, 1), (0, 1), (0.1, 1), (0, 3), (0.1, 2), (0, 1)):
            time.sleep(pause)
            line.sendall(ask * requests_at_once)
            assert [status() for _ in range(requests_at_once)] == [200] * requests_at_once


def test_no_secret_and_no_customer_is_in_any_log(running: Product) -> None:
    order = running.buy(guest_email="canary-7f3a@example.com")
    running.until(lambda: _all_paid(running, [order]), "the order is paid")
    logs = running.logs()

    assert order["token"] not in logs
    for secret in (running.run["webhook_secret"], running.run["staff"]["password"]):
        assert secret not in logs
    for personal in ("canary-7f3a", "123 Street", "_secret_"):
        assert personal not in logs


def test_nothing_listens_beyond_loopback(running: Product) -> None:
    addresses = {address for pid in _family(running) for address in _listening(pid)}

    assert len(addresses) >= 5, "web, database, broker, provider and mail listen"
    assert {address.partition(":")[0] for address in addresses} == {"127.0.0.1"}


def _family(product: Product) -> set[int]:
    """The processes of the product and their children."""
    family = set(product.run["pids"].values())
    for _ in range(3):
        family |= {
            int(child)
            for pid in family
            for tasks in Path(f"/proc/{pid}/task").glob("*/children")
            for child in tasks.read_text().split()
        }
    return family


def _listening(pid: int) -> set[str]:
    """Addresses on which a process accepts connections, from what the kernel shows of it."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = row.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                found.add(_readable(local, family))
    return found


def _readable(address: str, family: socket.AddressFamily) -> str:
    host, _, port = address.partition(":")
    words = bytes.fromhex(host)
    swapped = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    return f"{socket.inet_ntop(family, swapped)}:{int(port, 16)}"
