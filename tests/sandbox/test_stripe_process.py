"""The process: its state over a kill, its end, its page, and who may reach it."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.process import ROOT, StripeProcess, WebhookEndpoint

EUR_49_90: Any = {"amount": 4990, "currency": "eur", "metadata": {"payment_id": "7"}}
KEY: Any = {"idempotency_key": "k"}


def test_everything_survives_a_kill(tmp_path: Path) -> None:
    with (
        WebhookEndpoint() as endpoint,
        StripeProcess(webhook_url=endpoint.url, state=tmp_path / "stripe.db") as process,
    ):
        endpoint.statuses = [503]
        intent = process.client().v1.payment_intents.create(EUR_49_90, KEY)
        endpoint.wait_for(lambda: len(endpoint.received) == 1)
        process.control("deliveries", {"mode": "hold"})
        process.control("clock", {"advance_seconds": 3600})
        process.confirm(intent)
        before = process.ledger()
        process.kill()

        process.start()

        assert process.ledger() == before
        assert process.client().v1.payment_intents.create(EUR_49_90, KEY).id == intent.id
        assert process.client().v1.payment_intents.create(EUR_49_90).created > intent.created + 3000
        endpoint.wait_for(lambda: len(endpoint.received) == 2)
        assert len({event.id for event in endpoint.events(process)}) == 1
        process.control("deliveries/release")
        endpoint.wait_for(lambda: len(endpoint.received) == 5)


def test_a_kill_in_the_middle_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with StripeProcess(state=tmp_path / "stripe.db") as process:
        answered = [process.client().v1.payment_intents.create(EUR_49_90).id for _ in range(20)]
        process.kill()
        process.start()
        assert [intent["id"] for intent in process.ledger()["payment_intents"]] == answered


def test_a_delivery_that_a_kill_interrupts_is_made_again(tmp_path: Path) -> None:
    with (
        WebhookEndpoint() as endpoint,
        StripeProcess(webhook_url=endpoint.url, state=tmp_path / "stripe.db") as process,
    ):
        endpoint.gate = gate = threading.Barrier(2)
        process.client().v1.payment_intents.create(EUR_49_90)
        while gate.n_waiting == 0:
            time.sleep(0.01)
        process.kill()
        endpoint.gate = None
        process.start()

        endpoint.wait_for(lambda: len(endpoint.received) == 1)
        gate.wait()


def test_a_sigterm_ends_it() -> None:
    process = StripeProcess().start()
    assert process.stop() == 0


def test_it_serves_this_machine_only() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "sandbox.stripe", "--port", "0", "--host", "0.0.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 2
    assert "not a loopback address" in refused.stderr


def test_the_page_shows_payments_with_their_buttons(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    intent = client.v1.payment_intents.create(EUR_49_90)
    page = requests.get(sandbox.url, timeout=10)
    assert "49.90 EUR" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]

    after = requests.post(f"{sandbox.url}/payment_intents/{intent.id}/pay", timeout=10)
    assert "succeeded" in after.text
    charge = client.v1.payment_intents.retrieve(intent.id).latest_charge
    requests.post(f"{sandbox.url}/charges/{charge}/refund", timeout=10)
    again = requests.post(f"{sandbox.url}/charges/{charge}/refund", timeout=10)

    assert "has already been refunded" in again.text
    assert [refund["amount"] for refund in sandbox.ledger()["refunds"]] == [4990]


def test_the_page_escapes_what_others_wrote(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    client.v1.payment_intents.create(EUR_49_90 | {"metadata": {"payment_id": "<script>alert(1)"}})
    assert "&lt;script&gt;alert(1)" in requests.get(sandbox.url, timeout=10).text
    shown = requests.get(sandbox.url, params={"problem": "<script>"}, timeout=10).text
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("passed", "status"), [("yes", "succeeded"), ("no", "requires_payment_method")]
)
def test_the_buyer_authenticates_on_a_page_and_is_sent_back(
    sandbox: StripeProcess, client: stripe.StripeClient, passed: str, status: str
) -> None:
    intent = client.v1.payment_intents.create(EUR_49_90)
    card = "pm_card_authenticationRequired"
    back = "http://127.0.0.1:9/thanks?order=3"
    action = sandbox.confirm(intent, card, return_url=back).json()["next_action"]
    page = action["redirect_to_url"]["url"]

    shown = requests.get(page, timeout=10)
    assert "http://127.0.0.1:9" in shown.headers["Content-Security-Policy"]
    sent = requests.post(page, data={"passed": passed}, allow_redirects=False, timeout=10)

    assert sent.status_code == 303
    result = "succeeded" if passed == "yes" else "failed"
    assert sent.headers["Location"].startswith(f"{back}&payment_intent={intent.id}")
    assert sent.headers["Location"].endswith(f"redirect_status={result}")
    assert client.v1.payment_intents.retrieve(intent.id).status == status
    assert requests.get(f"{page}x", timeout=10).status_code == 404
