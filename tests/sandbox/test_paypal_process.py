"""The process: its state over a kill, its pages, and who may reach it."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import ROOT, PayPalProcess

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


def test_other_sites_cannot_steer_it_through_a_browser(paypal: PayPalProcess) -> None:
    reset = f"{paypal.url}/_control/reset"
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert requests.post(reset, headers=headers, timeout=10).status_code == 403
    assert requests.post(reset, headers={"Origin": paypal.url}, timeout=10).status_code == 200


def test_it_imports_nothing_of_the_shop() -> None:
    code = (
        "import sys, sandbox.paypal.server;"
        "shop = {'web', 'tasks', 'models', 'providers', 'settings', 'sqlalchemy', 'celery'};"
        "assert not shop & set(sys.modules), shop & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=True)


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
    capture_id = api.captured(invoice_id="<script>alert(1)")
    page = requests.get(paypal.url, timeout=10)
    assert "49.90 EUR" in page.text
    assert "<script>" not in page.text

    requests.post(f"{paypal.url}/captures/{capture_id}/refund", timeout=10)
    again = requests.post(f"{paypal.url}/captures/{capture_id}/refund", timeout=10)

    assert "has already been refunded" in again.text
    assert [each["amount"] for each in paypal.ledger()["refunds"]] == ["49.90"]


def test_the_control_surface_refuses_what_it_does_not_know(paypal: PayPalProcess) -> None:
    for path, body in (
        ("config", {"colour": "red"}),
        ("faults", {"endpoint": "*", "fault": "fire"}),
        ("deliveries", {"mode": "pigeon"}),
    ):
        answer = requests.post(f"{paypal.url}/_control/{path}", json=body, timeout=10)
        assert answer.status_code == 400
    unknown = requests.post(f"{paypal.url}/_control/orders/NONE/approve", timeout=10)
    assert unknown.status_code == 404
