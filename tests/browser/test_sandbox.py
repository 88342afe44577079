"""The sandbox desk: whoever breaks something there sees that the shop loses nothing."""

from typing import Any

import pytest
import requests

from tests.browser.person import Person
from tests.wiring.product import Product

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]  # the first waits for the start


@pytest.fixture
def operator(buyer: Person, running: Product) -> Person:
    """Somebody at the sandbox desk, while all is well."""
    assert running.run["pids"]
    return buyer.goes_to("/dev/").sees("Webhooks come at once.")


def _opened(product: Product) -> tuple[dict[str, Any], str]:
    """An order whose payment is open, and the name of that at the provider."""
    order = product.place()
    payment = product.start_payment(order)
    return order, payment["client_secret"].partition("_secret_")[0]


def _ledger(product: Product, kind: str, order: dict[str, Any]) -> list[dict[str, Any]]:
    """What the provider holds of the order."""
    control = product.run["provider_control_url"]
    held = requests.get(f"{control}/ledger", timeout=30).json()[kind]
    return [each for each in held if each["metadata"].get("order_id") == str(order["id"])]


def test_a_killed_worker_comes_back_and_the_auditor_misses_nothing(
    operator: Person, running: Product
) -> None:
    before = running.pid("worker_mail")
    operator.sees(str(before)).presses("[data-kill=worker_mail]")

    running.until(lambda: running.run["pids"].get("worker_mail", before) != before, "a new one")
    operator.sees(str(running.pid("worker_mail")))
    operator.clicks("Ask the auditor").sees("Every promise is kept.")


def test_ten_buyers_pay_in_a_storm_and_all_books_agree(operator: Person, running: Product) -> None:
    victims = {name: running.pid(name) for name in ("worker_payments", "worker_mail", "beat")}

    operator.clicks("Start the storm").sees("Every promise is kept.", "#proof", within=150)

    proof = operator.text_of("#proof").splitlines()
    assert [line.split("\t")[1] for line in proof if "\t10" in line] == ["10"] * 4, proof
    for name, before in victims.items():
        assert running.pid(name) != before
        operator.sees(f"kill -9 {before} ({name})", "#story")


def test_the_operator_is_the_bank_that_declines_then_pays_and_gives_back(
    operator: Person, running: Product
) -> None:
    order, intent = _opened(running)

    operator.presses_act(f"stripe/payment_intents/{intent}/decline")
    running.until(
        lambda: (
            running.sql(
                "SELECT 1 FROM payment_attempt JOIN payment ON payment.id = payment_id "
                "WHERE order_id = %s",
                order["id"],
            )
            != []
        ),
        "the decline is known",
    )
    assert running.status(order) == "pending"
    operator.presses_act(f"stripe/payment_intents/{intent}/pay")
    running.until(lambda: running.status(order) == "paid", "it is paid")
    (charge,) = [each for each in _ledger(running, "charges", order) if each["amount_captured"]]
    operator.presses_act(f"stripe/charges/{charge['id']}/refund")

    running.until(lambda: running.status(order) == "refunded", "the refund is found")


def test_the_operator_gives_back_what_was_paid_by_paypal(
    operator: Person, running: Product
) -> None:
    order = running.place()
    page = running.start_payment(order, "paypal")["redirect_url"]
    name = page.rpartition("token=")[2]

    operator.presses_act(f"paypal/orders/{name}/approve")
    running.until(lambda: running.status(order) == "paid", "it is paid")
    ledger = requests.get(f"{running.run['control_urls']['paypal']}/ledger", timeout=30).json()
    (capture,) = [each["id"] for each in ledger["captures"] if each["order"] == name]
    operator.presses_act(f"paypal/captures/{capture}/refund")

    running.until(lambda: running.status(order) == "refunded", "the refund is found")


def test_an_order_whose_webhooks_are_lost_is_paid_all_the_same(
    operator: Person, running: Product
) -> None:
    order, intent = _opened(running)
    operator.clicks("Drop them stripe").sees("Every webhook is lost.")

    operator.presses_act(f"stripe/payment_intents/{intent}/pay")

    running.until(lambda: running.status(order) == "paid", "the janitor has asked")
    operator.clicks("Everything back to normal").sees("Webhooks come at once.")


def test_a_payment_begun_while_the_provider_is_down_is_opened_once_it_is_back(
    operator: Person, running: Product
) -> None:
    operator.clicks("Down for 20 s stripe").sees("The provider has faults to come.")
    order = running.place()
    headers = {"Authorization": f"Bearer {order['token']}", "Prefer": "respond-async"}
    running.post(f"/orders/start-payment/{order['id']}/", json={}, headers=headers)
    running.until(lambda: _payment_state(running, order) == "unknown", "the line is cut")

    operator.clicks("Everything back to normal").sees("Webhooks come at once.")

    running.until(lambda: _payment_state(running, order) == "open", "the payment is opened")
    assert len(_ledger(running, "payment_intents", order)) == 1


def _payment_state(product: Product, order: dict[str, Any]) -> str:
    ((state,),) = product.sql("SELECT state FROM payment WHERE order_id = %s", order["id"])
    return str(state)
