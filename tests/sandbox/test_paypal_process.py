"""The process: its state over a kill, its pages, and who may reach it."""

from pathlib import Path

import pytest
import requests

from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess

WALLET = {"return_url": "http://127.0.0.1:9/back?a=1#token", "cancel_url": "http://127.0.0.1:9/no"}


def opened(api: PayPalApi, key: str = "k") -> str:
    order = {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": {"currency_code": "EUR", "value": "49.90"}}],
        "payment_source": {"paypal": {"experience_context": WALLET}},
    }
    return str(api.call("POST", "/v2/checkout/orders", order, key=key).json()["id"])


def test_everything_survives_a_kill(tmp_path: Path) -> None:
    with PayPalProcess(state=tmp_path / "paypal.db") as process:
        with PayPalApi(process) as api:
            order_id = api.create("k").json()["id"]
            process.kill()
            process.start()
            assert api.create("k").json()["id"] == order_id
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("answer", "back", "status"),
    [
        ("approve", "/back?a=1&token={}&PayerID=SANDBXPAYER22#token", "APPROVED"),
        ("cancel", "/no?token={}", "PAYER_ACTION_REQUIRED"),
    ],
)
def test_the_buyer_approves_on_a_page_and_is_sent_back(
    paypal: PayPalProcess, api: PayPalApi, answer: str, back: str, status: str
) -> None:
    order_id = opened(api)
    page = f"{paypal.url}/checkoutnow?token={order_id}"
    asked = requests.get(page, timeout=10)
    assert "49.90 EUR" in asked.text
    assert "form-action 'self' http://127.0.0.1:9" in asked.headers["Content-Security-Policy"]

    form = {"answer": answer, "funding": "pays"}
    sent = requests.post(page, data=form, allow_redirects=False, timeout=10)

    assert sent.headers["Location"] == "http://127.0.0.1:9" + back.format(order_id)
    assert api.look(order_id)["status"] == status


def test_an_order_that_nobody_knows_has_no_page(paypal: PayPalProcess) -> None:
    answer = requests.get(f"{paypal.url}/checkoutnow?token=NONE", timeout=10)
    assert answer.status_code == 404


def test_the_overview_shows_orders_with_their_buttons(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    capture_id = api.captured(custom_id="<script>alert(1)")
    page = requests.get(paypal.url, timeout=10)
    assert "49.90 EUR" in page.text
    assert "&lt;script&gt;alert(1)" in page.text

    requests.post(f"{paypal.url}/captures/{capture_id}/refund", timeout=10)
    again = requests.post(f"{paypal.url}/captures/{capture_id}/refund", timeout=10)

    assert "has already been refunded" in again.text
    assert [each["amount"] for each in paypal.ledger()["refunds"]] == ["49.90"]
