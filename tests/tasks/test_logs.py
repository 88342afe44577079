"""What is logged: ids that lead from a request to its mail, and nothing about people."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from structlog.contextvars import bound_contextvars, get_contextvars

import settings
from models import lease
from models.kinds import Retry
from models.stock import StockItem
from sandbox.embedded import free_port
from tasks.base import Work, drain, perform
from tasks.logs import FIELDS
from tests import jobs, shop
from tests.logs import Log, lines, listening
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess
from tests.sandbox.watching import eventually

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

logger = logging.getLogger("somebody")


@pytest.fixture
def log() -> Iterator[Log]:
    with listening() as heard:
        yield heard


# --- a line ---


def test_a_line_is_one_object_with_the_time_of_greenwich(log: Log) -> None:
    logger.warning("two\nlines of %s", "text")

    (line,) = log.lines
    assert line["event"] == "two\nlines of text"
    assert (line["level"], line["logger"]) == ("warning", "somebody")
    told = datetime.fromisoformat(line["timestamp"])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 3600


def test_fields_that_are_not_on_the_list_are_dropped(log: Log) -> None:
    with bound_contextvars(request_id="r-1", guest="Ada"):
        logger.info("hello", extra={"email": "ada@example.com", "body": {"a": 1}, "status": 200})

    (line,) = log.lines
    assert line.keys() <= set(FIELDS)
    assert (line["request_id"], line["status"]) == ("r-1", 200)


CANARIES = [
    "to ada.lovelace+x@mail.example.com: refused",
    "postgresql://ada:lovelace@127.0.0.1/orders",
    "ord_lovelace-dGhlIG9yZGVyIHRva2Vu",
    "pi_3Nq_secret_lovelace",
    "sk_test_lovelace and whsec_lovelace",
    "Authorization: Bearer lovelace.x-y_z",
    'IntegrityError("x\\nDETAIL:  Failing row contains (7, lovelace, 123 Street)")',
]


@pytest.mark.parametrize("words", CANARIES)
def test_no_text_tells_a_person_or_a_secret(log: Log, words: str) -> None:
    try:
        raise RuntimeError(words)  # noqa: TRY301
    except RuntimeError:
        logger.exception("failed: %s", words)

    assert "lovelace" not in log.text
    assert "RuntimeError: " in log.text


def test_an_exception_is_told_with_its_causes_and_without_variables(log: Log) -> None:
    password, words = "hunter2", "first\nsecond"

    def inner() -> None:
        raise ValueError(words)

    try:
        try:
            inner()
        except ValueError as error:
            raise LookupError(f"len {len(password)}") from error
    except LookupError:
        logger.exception("failed")

    told = log.lines[0]["exception"]
    assert told.index("ValueError: first") < told.index("LookupError: len 7")
    assert "in inner" in told
    assert "hunter2" not in told
    assert "second" not in told


def test_causes_that_go_round_in_a_circle_are_told_once(log: Log) -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    logger.error("failed", exc_info=one)

    assert log.lines[0]["exception"].count("ValueError: other") == 1


@pytest.mark.usefixtures("app")
def test_a_row_that_postgresql_quotes_stays_with_postgresql(log: Log) -> None:
    shop.make_item(sku="LOVELACE")
    twin = StockItem(sku="LOVELACE", title="x", unit_price_minor=1, currency="EUR", stock=0)
    with pytest.raises(IntegrityError) as refused, shop.database() as session:
        session.add(twin)
    logger.error("refused: %r", refused.value, exc_info=refused.value)

    assert "UniqueViolation" in log.lines[0]["exception"]
    assert "LOVELACE" not in log.text


# --- requests and jobs ---


def test_a_request_is_one_line_with_its_ids_and_leaves_none_behind(
    log: Log, client: FlaskClient
) -> None:
    shop.make_item()
    order = shop.place(client)
    client.get(f"/orders/{order['id']}/", headers={"X-Request-Id": "my-own-id"})
    client.get("/ada@example.com/")

    created, shown, lost = log.having(event="request")
    assert (created["endpoint"], created["order_id"]) == ("orders.create", order["id"])
    assert (shown["request_id"], shown["order_id"]) == ("my-own-id", order["id"])
    assert (shown["method"], shown["status"]) == ("GET", 404)
    assert (lost["endpoint"], lost["status"]) == ("none", 404)
    assert "order_id" not in lost
    assert get_contextvars() == {}


def test_health_checks_are_no_news(log: Log, client: FlaskClient) -> None:
    client.get("/healthz")
    assert log.having(event="request") == []


@pytest.mark.usefixtures("app")
def test_all_lines_of_a_job_carry_its_ids_and_no_other_lines_do(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(work: Work, payment_id: int) -> None:
        logger.info("working")
        work.skip("seen")

    jobs.declare(monkeypatch, work)
    staged = jobs.stage(payment_id=7)
    with bound_contextvars(request_id="r-1"):
        perform(staged)
        assert get_contextvars() == {"request_id": "r-1"}

    for line in (*log.having(event="working"), *log.having(event="try ended")):
        assert (line["job_id"], line["kind"], line["attempt"]) == (staged, jobs.TRIAL, 1)
        assert line["payment_id"] == 7
        assert "request_id" not in line
    assert log.having(event="try ended", outcome="skipped")


@pytest.mark.usefixtures("app")
def test_each_end_of_a_try_has_its_word(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(work: Work) -> None:
        shop.let_leases_expire()
        with shop.database() as session:
            lease.reap(session)
        work.skip("too late")

    def finish(work: Work) -> None:
        with work.finish() as session:
            session.execute(text("SELECT 1"))

    def fail(work: Work) -> None:
        raise LookupError

    for number, end in enumerate([lose, finish, fail, fail]):
        jobs.declare(monkeypatch, end, retry=Retry(attempts=1 + (number == 2)))
        perform(jobs.stage(key=str(number)))

    told = [line["outcome"] for line in log.having(event="try ended")]
    assert told == ["lost", "done", "retry", "dead"]


def test_one_order_can_be_followed_from_its_request_to_its_mail(
    log: Log,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with MailServer(monkeypatch) as mails:
        shop.make_item()
        order = shop.place(client, guest_email="lovelace@example.com")
        secret = shop.open_payment(client, order)["client_secret"]
        shop.pay(stripe_sandbox, secret)
        paid = shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"]
        shop.deliver(client, paid)
        drain()
        assert len(mails.received) == 1

    (mailed,) = log.having(kind="notifications.send", outcome="done")
    assert mailed["order_id"] == order["id"]
    (applied,) = log.having(event="staged", staged_job_id=mailed["job_id"])
    assert applied["order_id"] == order["id"]
    (received,) = log.having(event="staged", staged_job_id=applied["job_id"])
    (request,) = log.having(event="request", request_id=received["request_id"])
    assert request["endpoint"].startswith("webhooks.")
    endpoints = [each["endpoint"] for each in log.having(event="request", order_id=order["id"])]
    assert endpoints == ["orders.create", "payments.start", "payments.start"]

    private = ["lovelace", order["token"], secret, "123 Street", "12345", "Blue T-shirt"]
    assert [word for word in private if word in log.text] == []


# --- real processes ---


def _environment(**changes: str) -> dict[str, str]:
    return settings.environment(LOG_FORMAT="json", LOG_LEVEL="INFO", **changes)


def test_what_nobody_caught_is_a_line_too() -> None:
    died = subprocess.run(
        [sys.executable, "-c", "import tasks; raise LookupError('lovelace@example.com')"],
        cwd=ROOT,
        env=_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )

    (line,) = lines(died.stderr)
    assert died.returncode == 1
    assert (line["level"], line["event"]) == ("critical", "nobody caught this")
    assert "LookupError: [redacted]" in line["exception"]


def test_celery_leaves_the_form_and_the_level_alone() -> None:
    script = """
import logging, tasks
tasks.app.log.setup("ERROR", redirect_stdouts=True)
logging.getLogger("somebody").info("still here")
"""
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )

    assert [line["event"] for line in lines(told.stderr)] == ["still here"]


def test_gunicorn_speaks_as_everybody_does(tmp_path: Path) -> None:
    port = free_port()
    options = [
        *(
            "--no-control-socket",
            "--worker-class",
            "web.shedding.Worker",
            "--bind",
            f"127.0.0.1:{port}",
        ),
        *("--logger-class", "web.access.GunicornLogger"),
    ]
    with (tmp_path / "stderr").open("w+") as stderr:
        server = subprocess.Popen(
            [BIN / "gunicorn", *options, "web:create_app()"],
            cwd=ROOT,
            env=_environment(),
            stderr=stderr,
        )
        try:
            assert eventually(lambda: _answers(f"http://127.0.0.1:{port}/nothing"))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)
    told = lines((tmp_path / "stderr").read_text())

    assert {line["logger"] for line in told} == {"gunicorn.error", "web.access"}
    assert [line["status"] for line in told if line["event"] == "request"] == [404]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=30).status_code == 404
    except requests.ConnectionError:
        return False
