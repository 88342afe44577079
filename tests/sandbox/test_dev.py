"""The sandbox desk: it looks behind the shop, breaks what it is told to, and obeys no stranger."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models.base import db
from sandbox import app
from sandbox.runner import state
from tasks.base import drain
from tests import settings_of, shop
from tests.sandbox.process import PayPalProcess, SandboxProcess, StripeProcess

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def client(app_of_product: object) -> Iterator[FlaskClient]:
    served = app.create_app()
    yield served.test_client()
    with served.app_context():
        db.engine.dispose()


@pytest.fixture
def app_of_product(app: object) -> object:
    """The tables, emptied when the test is over."""
    return app


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def running(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    victim: subprocess.Popen[bytes],
    stripe_sandbox: StripeProcess,
    paypal_sandbox: PayPalProcess,
) -> Iterator[Mapping[str, SandboxProcess]]:
    """What a runner would tell, were it this process: two providers, one worker, no mail server."""
    providers = {"stripe": stripe_sandbox, "paypal": paypal_sandbox}
    monkeypatch.setenv("RUN_DIRECTORY", str(tmp_path))
    with state.alone(tmp_path):
        places = {"provider": stripe_sandbox.url, "paypal": paypal_sandbox.url}
        urls = {"docs": NOBODY, "mail": NOBODY, **places}
        pids = {"runner": state.runner_pid(tmp_path), "worker": victim.pid}
        controls = {name: f"{each.url}/_control" for name, each in providers.items()}
        state.write(tmp_path, {"base_urls": urls, "pids": pids, "control_urls": controls})
        yield providers


def test_without_a_runner_nothing_can_be_seen(client: FlaskClient) -> None:
    assert client.get("/dev/").status_code == 503


@pytest.mark.usefixtures("running")
def test_the_desk_runs_its_own_scripts_alone(client: FlaskClient) -> None:
    answer = client.get("/dev/")

    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.usefixtures("running")
def test_a_process_is_killed_by_its_name(
    client: FlaskClient, victim: subprocess.Popen[bytes]
) -> None:
    assert client.post("/dev/processes/worker/kill/").json == {"killed": victim.pid}
    assert victim.wait(30) == -9


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("name", ["runner", "1", "nobody"])
def test_nothing_else_is_killed(client: FlaskClient, name: str) -> None:
    assert client.post(f"/dev/processes/{name}/kill/").status_code == 404


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("shop.example", None),
        ("127.0.0.1.shop.example:8000", None),
        ("127.0.0.1:8000", "http://evil.example"),
        ("127.0.0.1:8000", "null"),
    ],
)
def test_strangers_are_refused(
    client: FlaskClient,
    running: Mapping[str, SandboxProcess],
    host: str,
    origin: str | None,
) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})

    lever = "/dev/providers/stripe/deliveries"
    answer = client.post(lever, json={"mode": "drop"}, headers=headers)

    assert answer.status_code == 403
    assert running["stripe"].read("config")["deliveries"]["mode"] != "drop"


@pytest.mark.parametrize("name", ["stripe", "paypal"])
def test_each_provider_is_steered(
    client: FlaskClient, running: Mapping[str, SandboxProcess], name: str
) -> None:
    levers, fault = f"/dev/providers/{name}", {"endpoint": "refunds.list", "fault": "cut"}

    assert client.post(f"{levers}/faults", json=fault).status_code == 200
    faults = {each: provider.read("faults") for each, provider in running.items()}
    assert [each for each in faults if faults[each]] == [name]
    assert client.delete(f"{levers}/faults").json == []
    assert client.post(f"{levers}/refunds/none/fail", json={}).status_code == 404
    assert client.post("/dev/providers/nobody/faults", json=fault).status_code == 404


@pytest.mark.usefixtures("running")
def test_payments_of_each_provider_are_seen_with_what_may_be_done_to_them(
    client: FlaskClient, paypal_sandbox: PayPalProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"payment_providers": ("stripe", "paypal"), "payment_methods": ("card", "paypal")}
    settings_of.changed(monkeypatch, **both)
    shop.make_item()
    by_card, by_paypal = (shop.place(client) for _ in range(2))
    shop.start(client, by_card)
    shop.choose(client, by_paypal, {"payment_method": "paypal"})
    drain()

    seen = client.get("/dev/sight/").get_json()["providers"]
    intent, order = (seen[name]["payments"][0] for name in ("stripe", "paypal"))
    assert (intent["order_id"], order["order_id"]) == (by_card["id"], by_paypal["id"])
    assert (intent["amount"], order["amount"]) == ("39.98 EUR", "39.98 EUR")
    assert intent["acts"][0] == f"payment_intents/{intent['id']}/pay"
    assert order["acts"] == [f"orders/{order['id']}/approve"]
    assert order["page"] == f"{paypal_sandbox.url}/checkoutnow?token={order['id']}"

    paid = client.post(f"/dev/providers/stripe/{intent['acts'][0]}", json={})
    assert paid.status_code == 200
    email = by_card["guest_email"]
    assert client.get(f"/dev/proof/?email={email}").get_json()["charges"] == 1


@pytest.mark.usefixtures("running")
def test_what_runs_waits_and_was_paid_is_seen(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)

    seen = client.get("/dev/sight/").get_json()

    assert seen["orders"] == {"pending": 1}
    assert list(seen["processes"]) == ["worker"]
    assert {"payments", "mail"} <= {queue["queue"] for queue in seen["queues"]}
    assert seen["mails"] is None
    assert {each["mode"] for each in seen["providers"].values()} == {"normal"}
    proof = client.get(f"/dev/proof/?email={order['guest_email']}").get_json()
    assert proof == {"orders": {"pending": 1}, "charges": 0, "mails": 0}


@pytest.mark.usefixtures("running")
def test_the_auditor_tells_of_a_broken_promise_and_of_none(client: FlaskClient) -> None:
    item = shop.make_item()
    assert client.post("/dev/audit/").json == {"found": []}

    with shop.database() as session:
        session.connection().exec_driver_sql(f"UPDATE stock_item SET held = 1 WHERE id = {item}")
    try:
        found = client.post("/dev/audit/").get_json()["found"]
    finally:
        with shop.database() as session:
            session.connection().exec_driver_sql("UPDATE stock_item SET held = 0")

    assert any(each["promise"].startswith("stock") for each in found)
