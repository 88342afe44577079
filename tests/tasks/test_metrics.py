"""Figures: counted where a thing happens, added up over processes, served at one address."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

import settings
import tasks
from models import job as ledger
from models.kinds import Retry
from providers.base import Declined, OutcomeUnknown, ProviderError, RateLimited, Rejected
from providers.metrics import measured
from sandbox.embedded import free_port
from tasks.base import Work, drain, perform
from tasks.exporter import registry
from tasks.relay import reap
from tests import jobs, shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess
from tests.sandbox.watching import eventually

ROOT = Path(__file__).parents[2]

Figures = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def _parsed(scrape: str) -> Figures:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
    }


def _at(figures: Figures, name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


def _here(name: str, **labels: str) -> float:
    """What this process has counted so far."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def _asked() -> Figures:
    """What a scrape reads from the database."""
    return _parsed(generate_latest(registry()).decode())


# --- several processes ---

OFFICE = """
from tasks.base import drain
from web import create_app
client = create_app().test_client()
for _ in range({requests}):
    assert client.get("/healthz").status_code == 200
assert drain({jobs}) == {jobs}
"""


def _run(directory: Path, **counts: int) -> None:
    subprocess.run(
        [sys.executable, "-c", OFFICE.format(**counts)],
        cwd=ROOT,
        env=settings.environment(METRICS_DIRECTORY=str(directory)),
        check=True,
        timeout=60,
    )


@contextmanager
def _exporter(**environment: str) -> Iterator[str]:
    """The process that Prometheus asks; its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.exporter"],
        cwd=ROOT,
        env=settings.environment(METRICS_PORT=str(port), **environment),
    )
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        assert eventually(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=30).ok
    except requests.ConnectionError:
        return False


@pytest.mark.usefixtures("app")
def test_what_two_processes_counted_is_added_up(tmp_path: Path) -> None:
    directory = tmp_path / "figures"
    with shop.database() as session:
        for number in range(3):
            ledger.stage(session, "reservations.sweep", key=f"sweep:{number}")
    _run(directory, requests=2, jobs=1)
    _run(directory, requests=3, jobs=2)

    with _exporter(METRICS_DIRECTORY=str(directory)) as url:
        answer = requests.get(url, timeout=30)
        figures = _parsed(answer.text)

    health = {"endpoint": "health.healthz"}
    assert _at(figures, "orders_http_requests_total", **health, status="200") == 5
    assert _at(figures, "orders_http_request_seconds_count", **health) == 5
    assert _at(figures, "orders_http_request_seconds_bucket", **health, le="+Inf") == 5
    sweep = {"kind": "reservations.sweep"}
    assert _at(figures, "orders_job_tries_total", **sweep, outcome="done") == 3
    assert _at(figures, "orders_job_seconds_count", **sweep) == 3
    assert _at(figures, "orders_job_wait_seconds_count", **sweep) == 3
    assert _at(figures, "orders_database_up") == 1
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.usefixtures("app")
def test_without_its_database_the_processes_are_still_seen(tmp_path: Path) -> None:
    _run(tmp_path, requests=1, jobs=0)

    nobody = "postgresql://127.0.0.1:1/orders"
    with _exporter(METRICS_DIRECTORY=str(tmp_path), DATABASE_URL=nobody) as url:
        figures = _parsed(requests.get(url, timeout=30).text)

    assert _at(figures, "orders_database_up") == 0
    health = {"endpoint": "health.healthz", "status": "200"}
    assert _at(figures, "orders_http_requests_total", **health) == 1
    assert not [name for name, _ in figures if name.startswith("orders_queue")]


def test_the_public_port_shows_no_figures(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404


# --- what the database says ---


@pytest.mark.usefixtures("app")
def test_queues_are_counted_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(work: Work) -> None:
        figures = _asked()
        assert _at(figures, "orders_queue_leased", queue="payments") == 1
        work.bury(LookupError())

    jobs.declare(monkeypatch, hold)
    perform(jobs.stage(key="dead"))
    with shop.database() as session:
        session.execute(text("UPDATE job SET queue = 'one of an older release'"))
    jobs.stage(key="due")
    shop.let_pass(minutes=5)
    later = jobs.stage(key="later")
    shop.sql("UPDATE job SET run_at = run_at + interval '1 h' WHERE id = :id RETURNING 1", id=later)

    figures = _asked()
    payments = {"queue": "payments"}
    assert _at(figures, "orders_queue_ready", **payments) == 2
    assert _at(figures, "orders_queue_due", **payments) == 1
    assert 300 <= _at(figures, "orders_queue_oldest_due_seconds", **payments) < 600
    assert _at(figures, "orders_queue_leased", **payments) == 0
    assert _at(figures, "orders_queue_dead", **payments) == 0
    assert _at(figures, "orders_queue_dead", queue="one of an older release") == 1
    assert _at(figures, "orders_queue_ready", queue="mail") == 0


def test_what_waits_for_a_person_is_counted(client: FlaskClient) -> None:
    shop.make_item()
    first, second = shop.place(client), shop.place(client)
    shop.deliver(client, shop.event_about({"id": "cus_1"}, type="customer.created"))
    before = _asked()
    with shop.database() as session:
        session.execute(text("UPDATE orders SET needs_review = true"))
        session.execute(
            text("UPDATE orders SET stock_shortage = true WHERE id = :id"), {"id": second["id"]}
        )
        session.execute(text("UPDATE webhook_event SET state = 'parked'"))
        session.execute(
            text(
                "INSERT INTO finding (promise, invariant, subject, subject_id, detail, repair,"
                " first_seen_at, last_seen_at) SELECT 'a.promise', 1, 'orders', :id, '', '',"
                " clock_timestamp(), clock_timestamp()"
            ),
            {"id": first["id"]},
        )

    figures = _asked()
    waiting = ("orders_needing_review", "orders_stock_shortages", "orders_webhook_events_parked")
    assert [_at(before, name) for name in waiting] == [0, 0, 0]
    assert [_at(figures, name) for name in waiting] == [2, 1, 1]
    assert _at(figures, "orders_audit_findings", promise="a.promise") == 1
    with shop.database() as session:
        session.execute(text("UPDATE orders SET stock_shortage = false"))
        session.execute(text("UPDATE webhook_event SET state = 'ignored'"))


# --- what is counted where it happens ---


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (Declined("no"), "declined"),
        (Rejected("no"), "rejected"),
        (RateLimited("slower"), "rate_limited"),
        (OutcomeUnknown("silence"), "unknown"),
        (LookupError("ours"), "bug"),
    ],
)
def test_calls_are_counted_by_what_came_of_them(error: Exception | None, outcome: str) -> None:
    def count() -> float:
        return _here(
            "orders_provider_calls_total", provider="trial", call="create", outcome=outcome
        )

    before = count()
    with suppress(ProviderError, LookupError), measured("trial", "create"):
        _raise(error)
    assert count() == before + 1


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def test_every_call_to_stripe_is_counted(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    def count(call: str) -> float:
        return _here("orders_provider_calls_total", provider="stripe", call=call, outcome="ok")

    before = count("create"), count("close")
    shop.make_item()
    order = shop.place(client)
    shop.open_payment(client, order)
    shop.let_pass(hours=2)
    shop.sweep()
    drain()
    assert (count("create"), count("close")) == (before[0] + 1, before[1] + 1)


def test_an_event_is_timed_once(client: FlaskClient) -> None:
    lag = "orders_webhook_lag_seconds"
    timed, seconds = (
        _here(f"{lag}_count", provider="stripe"),
        _here(f"{lag}_sum", provider="stripe"),
    )
    event = shop.event_about({"id": "cus_1"}, type="customer.created")
    event["created"] -= 100
    for _ in range(2):
        shop.deliver(client, event)

    assert _here(f"{lag}_count", provider="stripe") == timed + 1
    assert 100 <= _here(f"{lag}_sum", provider="stripe") - seconds < 200


@pytest.mark.usefixtures("app")
def test_leases_that_ran_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _here("orders_lease_expiries_total")
    jobs.declare(monkeypatch, retry=Retry(attempts=3))
    for key in ("one", "other"):
        jobs.claimed(jobs.stage(key=key))
    shop.let_leases_expire()
    with tasks.database_app.app_context():
        reap()
    assert _here("orders_lease_expiries_total") == before + 2


def test_paths_that_anybody_may_make_up_make_no_figures(client: FlaskClient) -> None:
    def try_out(number: int) -> int:
        """How many figures there are after requests that nobody foresaw."""
        assert client.get(f"/nothing/{number}").status_code == 404
        assert client.open("/orders/create/", method=f"METHOD{number}").status_code == 405
        return len(_parsed(generate_latest(REGISTRY).decode()))

    assert try_out(1) == try_out(2) == try_out(3)


def test_no_figure_tells_of_a_person_or_an_order(
    client: FlaskClient, stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer(monkeypatch):
        shop.make_item()
        order = shop.place(client, guest_email="lovelace@example.com")
        secret = shop.open_payment(client, order)["client_secret"]
        shop.pay(stripe_sandbox, secret)
        shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
        drain()

    told = generate_latest(REGISTRY).decode() + generate_latest(registry()).decode()
    assert "orders_job_tries_total" in told
    private = ["lovelace", order["token"], order["order_number"], secret, "TSHIRT-BLUE"]
    assert [word for word in private if word in told] == []
