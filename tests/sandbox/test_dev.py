"""The sandbox desk: it looks behind the shop, breaks what it is told to, and obeys no stranger."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models.base import db
from sandbox import app
from sandbox.runner import state
from tests import shop
from tests.sandbox.process import StripeProcess

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
) -> Iterator[StripeProcess]:
    """What a runner would tell, were it this process: a provider, one worker, no mail server."""
    monkeypatch.setenv("RUN_DIRECTORY", str(tmp_path))
    with state.alone(tmp_path):
        urls = {"docs": NOBODY, "mail": NOBODY, "provider": stripe_sandbox.url, "paypal": NOBODY}
        pids = {"runner": state.runner_pid(tmp_path), "worker": victim.pid}
        control = f"{stripe_sandbox.url}/_control"
        told = {"base_urls": urls, "pids": pids, "provider_control_url": control}
        state.write(tmp_path, told)
        yield stripe_sandbox


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
    client: FlaskClient, running: StripeProcess, host: str, origin: str | None
) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})

    answer = client.post("/dev/provider/deliveries", json={"mode": "drop"}, headers=headers)

    assert answer.status_code == 403
    assert running.control("config", method="GET")["deliveries"]["mode"] != "drop"


def test_the_provider_is_steered(client: FlaskClient, running: StripeProcess) -> None:
    fault = {"endpoint": "refunds.list", "fault": "cut"}

    assert client.post("/dev/provider/faults", json=fault).status_code == 200
    assert running.control("faults", method="GET")[0]["endpoint"] == "refunds.list"
    assert client.delete("/dev/provider/faults").json == []
    assert client.post("/dev/provider/charges/ch_none/refund", json={}).status_code == 404


@pytest.mark.usefixtures("running")
def test_what_runs_waits_and_was_paid_is_seen(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client)

    seen = client.get("/dev/sight/").get_json()

    assert seen["orders"] == {"pending": 1}
    assert list(seen["processes"]) == ["worker"]
    assert {"payments", "mail"} <= {queue["queue"] for queue in seen["queues"]}
    assert seen["mails"] is None
    assert seen["provider"]["mode"] == "normal"
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
