"""Faults 17 to 27, 30, 34 and 35: workers die, freeze, hang, choke, and fall behind."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import pytest

from tests.faults.checks import broken
from tests.faults.harness import QUEUE, Harness
from tests.faults.load import Buyer
from tests.sandbox.watching import is_alive

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240)]
slow = pytest.mark.faults

_CREATE = "payments.create_intent"
_QUEUES = ("--queues", "payments,webhooks", "--hostname", "another@%h")
_WORKER = ("worker", "--pool", "threads", "--concurrency", "2", *_QUEUES)
_LONELY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")


def _pay(buyer: Buyer) -> None:
    buyer.follow()
    buyer.pay()


def _calling(faulty: Harness, buyer: Buyer) -> int:
    """Wait until a worker asks the provider for the buyer's payment; that worker's process id."""
    sent = "SELECT 1 FROM payment WHERE order_id = %s AND state = 'sent'"
    faulty.until(lambda: faulty.sql(sent, buyer.order["id"]) != [], "the provider is being asked")
    return int(faulty.job(_CREATE, buyer.order["id"])["lease_owner"].split(":")[1])


# --- killed at one exact moment ---


@pytest.mark.parametrize(
    ("marker", "is_sent"),
    [
        pytest.param("claim", False, id="17-before_the_claim", marks=slow),
        pytest.param("claim", True, id="19-after_the_claim", marks=slow),
        pytest.param("answer", False, id="20-after_the_call"),
        pytest.param("answer", True, id="21-after_the_record", marks=slow),
    ],
)
def test_17_19_20_21_a_worker_killed_between_two_steps_opens_one_payment(
    faulty: Harness, marker: str, *, is_sent: bool
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    # A claim, which is one message, names its owner; a record names the provider's payment.
    claim = f":{faulty.pid('worker_payments')}:".encode()
    said, trigger = (claim, claim) if marker == "claim" else (b"pi_", b"COMMIT")
    with (
        faulty.webhooks_held(),
        faulty.killing("worker_payments") as shoot,
        faulty.worker_to_database.set_trap(said, trigger, is_sent=is_sent, act=shoot) as trap,
    ):
        buyer.start_payment()
        trap.wait()

    _pay(buyer)

    job = faulty.job(_CREATE, buyer.order["id"])
    assert job["attempts"] == (
        2 if (marker, is_sent) in (("claim", True), ("answer", False)) else 1
    )


@slow
def test_18_a_worker_killed_with_the_message_in_its_socket_is_no_loss(faulty: Harness) -> None:
    buyers: list[Buyer] = []
    with faulty.killing("worker_payments") as shoot:
        while not _dies_of(faulty, buyers, shoot):
            faulty.until(lambda: faulty.queued("payments") == [], "it did not wait when it froze")

    for buyer in buyers:
        _pay(buyer)


def _dies_of(faulty: Harness, buyers: list[Buyer], shoot: Callable[[], None]) -> bool:
    """Ring for a frozen worker, and shoot it if the message has gone into its socket."""
    buyers.append(faulty.buyer())
    buyers[-1].place()
    with faulty.frozen("worker_payments"):
        buyers[-1].start_payment()
        is_swallowed = not faulty.queued("payments")
        if is_swallowed:
            shoot()
    return is_swallowed


# --- frozen, orphaned, hung ---


@pytest.mark.parametrize(
    "missing", ["nothing", pytest.param("fence", marks=slow)], ids=["fenced", "control-unfenced"]
)
def test_22_a_worker_frozen_past_its_lease_records_nothing_when_it_wakes(
    faulty: Harness, missing: str
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.webhooks_held(), _patient_worker(faulty, missing) as sleeper:
        with faulty.deaf("worker_payments"), faulty.provider_fault("delay", seconds=1.5):
            buyer.start_payment()
            assert _calling(faulty, buyer) == sleeper.pid
            os.kill(sleeper.pid, signal.SIGSTOP)
        job_id = faulty.job(_CREATE, buyer.order["id"])["id"]
        faulty.sql("UPDATE job SET lease_until = clock_timestamp() WHERE id = %s", job_id)
        done = "SELECT attempt FROM job_attempt WHERE job_id = %s AND outcome = 'done'"
        faulty.until(lambda: faulty.sql(done, job_id) != [], "another has done the job")
        os.kill(sleeper.pid, signal.SIGCONT)
        if missing == "nothing":
            refused = f"job {job_id} ({_CREATE}) was taken over; nothing recorded"
            faulty.until(lambda: refused in faulty.log("another"), "the fence has refused it")
        else:
            faulty.until(lambda: _is_done_twice(faulty, job_id), "the check sees it done twice")
            _forget_all_but_one(faulty, job_id)

    _pay(buyer)


def _patient_worker(
    faulty: Harness, missing: str
) -> AbstractContextManager["subprocess.Popen[str]"]:
    """A worker whose watchdog lets it sleep, and that lacks a guard."""
    patience = {"JOB_LEASE_SECONDS": "60", "JOB_DEADLINE_SECONDS": "50"}
    patience["PROVIDER_DEADLINE_SECONDS"] = "40"
    return faulty.another(
        "worker_payments", "tests.faults.careless", missing, *_WORKER, *_LONELY, **patience
    )


def _is_done_twice(faulty: Harness, job_id: int) -> bool:
    """Whether the checks say so."""
    return any(f"({job_id}, " in fault for fault in broken(faulty) if "more than once" in fault)


def _forget_all_but_one(faulty: Harness, job_id: int) -> None:
    """Take away what an unguarded worker did too often, so that the house is sound again."""
    faulty.sql(
        "DELETE FROM job_attempt WHERE job_id = %s"
        " AND id > (SELECT min(id) FROM job_attempt WHERE job_id = %s)",
        job_id,
        job_id,
    )
    kept = "SELECT attempt FROM job_attempt WHERE job_id = job.id"
    faulty.sql(f"UPDATE job SET attempts = ({kept}) WHERE id = %s", job_id)


@slow
def test_29_control_without_the_claims_condition_ten_doorbells_are_ten_tries(
    faulty: Harness,
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.deaf("worker_payments"):
        buyer.start_payment()
        (message,) = faulty.queued("payments")
        with faulty.broker() as broker:
            broker.lpush(QUEUE.format("payments"), *[message] * 9)
        job_id = faulty.job(_CREATE, buyer.order["id"])["id"]
        with _patient_worker(faulty, "claim"):
            faulty.until(lambda: _is_done_twice(faulty, job_id), "the check sees it done twice")
            faulty.until(lambda: faulty.queued("payments") == [], "all ten were heard")
    faulty.until(lambda: faulty.job(_CREATE, buyer.order["id"])["state"] == "done", "it is done")
    _forget_all_but_one(faulty, job_id)

    _pay(buyer)


@slow
@pytest.mark.parametrize("victim", ["23-child", "24-parent"])
def test_23_24_a_sweep_that_loses_its_child_or_parent_is_done_by_another(
    faulty: Harness, victim: str
) -> None:
    buyer, parent = faulty.buyer(), faulty.pid("worker_sweeps")
    buyer.place()
    with psycopg.connect(faulty.run["database_url"]) as holder:
        holder.execute("LOCK TABLE reservation IN EXCLUSIVE MODE")  # a sweep must wait for it
        overdue = "UPDATE orders SET expires_at = clock_timestamp() WHERE id = %s"
        faulty.sql(overdue, buyer.order["id"])
        child = _waiting_sweeper(faulty)
        os.kill(child if victim == "23-child" else parent, signal.SIGKILL)
        faulty.until(lambda: not is_alive(child), "the orphan is gone too")
        holder.rollback()

    died = "SELECT state FROM job WHERE kind = 'reservations.sweep' AND last_error LIKE %s"
    faulty.until(
        lambda: faulty.sql(died, f"%:{child}:%") == [("done",)], "the sweep was done after all"
    )
    assert faulty.sql("SELECT state FROM orders WHERE id = %s", buyer.order["id"]) == [("expired",)]
    faulty.until(
        lambda: (
            (faulty.run["pids"].get("worker_sweeps") not in (None, parent))
            == (victim == "24-parent")
        ),
        "the parent survives its child, and is replaced when it dies itself",
    )


def _waiting_sweeper(faulty: Harness) -> int:
    """Wait until a sweep waits for a lock; the process that does it."""
    waiting = (
        "SELECT split_part(lease_owner, ':', 2)::int FROM job"
        " WHERE kind = 'reservations.sweep' AND state = 'leased' AND EXISTS ("
        " SELECT FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND query LIKE '%%reservation%%')"
    )
    found: list[int] = []

    def is_waiting() -> bool:
        found[:] = [pid for (pid,) in faulty.sql(waiting)]
        return bool(found)

    faulty.until(is_waiting, "a sweep waits for a lock")
    return found[0]


@slow
def test_25_a_provider_that_takes_too_long_is_asked_again_with_the_same_key(
    faulty: Harness,
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.webhooks_held():
        with faulty.provider_fault("delay", seconds=3, times=2):
            buyer.start_payment()
            _pay(buyer)
        assert faulty.job(_CREATE, buyer.order["id"])["attempts"] >= 2
    unknown = "SELECT 1 FROM journal WHERE order_id = %s AND to_state = 'unknown'"
    assert faulty.sql(unknown, buyer.order["id"])


@slow
def test_25_a_job_that_hangs_past_every_timeout_is_ended_by_the_watchdog(faulty: Harness) -> None:
    buyer, worker = faulty.buyer(), faulty.pid("worker_mail")
    with faulty.worker_to_mail.trickle(0.5):  # each byte in time, the whole answer never
        buyer.buy()
        faulty.until(
            lambda: faulty.run["pids"].get("worker_mail", worker) != worker,
            "the watchdog has bitten",
        )
    assert "this process ends: job" in faulty.log("worker_mail")


# --- poison, and what nobody knows yet ---


def _stage(faulty: Harness, kind: str, max_attempts: int) -> int:
    ((job_id,),) = faulty.sql(
        "INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts,"
        " max_attempts, rung_at, created_at)"
        " VALUES (%s, %s, '{}', 'payments', 'ready', clock_timestamp(), 0, %s,"
        " clock_timestamp(), clock_timestamp()) RETURNING id",
        kind,
        f"trial:{kind}",
        max_attempts,
    )
    return int(job_id)


@slow
def test_26_a_job_that_kills_every_worker_ends_dead_and_others_flow(faulty: Harness) -> None:
    job_id = _stage(faulty, "payments.poison", max_attempts=2)
    deaths = 0
    while faulty.sql("SELECT attempts FROM job WHERE id = %s", job_id) < [(2,)]:
        with faulty.another("worker_payments", "tests.faults.newer", *_WORKER, *_LONELY) as worker:
            assert worker.wait(timeout=60) == 137
            deaths += 1
    faulty.buyer().buy()
    with faulty.another("worker_payments", "tests.faults.newer", *_WORKER, *_LONELY) as worker:
        dead = "SELECT state, attempts FROM job WHERE id = %s"
        faulty.until(lambda: faulty.sql(dead, job_id) == [("dead", 3)], "the poison is buried")
        assert worker.poll() is None

    assert deaths == 2
    ((error,),) = faulty.sql("SELECT last_error FROM job WHERE id = %s", job_id)
    assert error
    faulty.sql("UPDATE job SET state = 'cancelled' WHERE id = %s", job_id)  # as staff would


@slow
def test_27_a_kind_that_no_worker_knows_waits_for_one_that_does(faulty: Harness) -> None:
    job_id = _stage(faulty, "payments.tomorrow", max_attempts=2)
    state = "SELECT state, attempts FROM job WHERE id = %s"
    faulty.until(lambda: "payments.tomorrow" in faulty.log("worker_payments"), "it was heard of")
    assert faulty.sql(state, job_id) == [("ready", 0)]

    with faulty.another("worker_payments", "tests.faults.newer", *_WORKER, *_LONELY):
        faulty.until(lambda: faulty.sql(state, job_id) == [("done", 1)], "the newer worker did it")


# --- stopped, away, slow ---


@slow
def test_30_a_deploy_in_the_middle_of_a_call_opens_one_payment(faulty: Harness) -> None:
    buyer, worker = faulty.buyer(), faulty.pid("worker_payments")
    buyer.place()
    with faulty.provider_fault("delay", seconds=1.5):
        buyer.start_payment()
        os.kill(_calling(faulty, buyer), signal.SIGTERM)
        faulty.until(
            lambda: faulty.run["pids"].get("worker_payments", worker) != worker,
            "the next worker is there",
        )

    _pay(buyer)


@slow
def test_34_after_hours_without_workers_the_backlog_and_the_sweeper_agree(faulty: Harness) -> None:
    payers, idlers = [faulty.buyer() for _ in range(6)], [faulty.buyer() for _ in range(6)]
    for buyer in (*payers, *idlers):
        buyer.place()
        buyer.start_payment()
    for buyer in (*payers, *idlers):
        buyer.follow()
    with faulty.frozen("worker_payments"), faulty.frozen("worker_sweeps"):
        for buyer in payers:
            buyer.pay()
        faulty.sql("UPDATE orders SET expires_at = clock_timestamp() WHERE state = 'pending'")

    _await_all(faulty, payers, "paid")
    _await_all(faulty, idlers, "expired")


def _await_all(faulty: Harness, buyers: list[Buyer], state: str) -> None:
    emails = [buyer.email for buyer in buyers]
    ended = "SELECT count(*) FROM orders WHERE email = ANY(%s) AND state = %s"
    faulty.until(
        lambda: faulty.sql(ended, emails, state) == [(len(buyers),)], f"all of them are {state}"
    )


@slow
def test_35_a_mail_server_that_hangs_delays_no_payment(faulty: Harness) -> None:
    with faulty.mail_fault("delay", seconds=3):
        buyers = [faulty.buyer() for _ in range(12)]
        for buyer in buyers:
            buyer.buy()
        _await_all(faulty, buyers, "paid")
        emails = [buyer.email for buyer in buyers]
        sent = "SELECT count(*) FROM notification WHERE recipient = ANY(%s) AND state = 'sent'"
        assert faulty.sql(sent, emails) == [(0,)]


@slow
def test_17_without_any_worker_and_broker_a_person_can_do_the_work(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.frozen("worker_payments"):
        buyer.start_payment()
        with faulty.another("web", "flask", "--app", "web", "jobs", "work") as person:
            assert person.wait(timeout=60) == 0
        _pay(buyer)
