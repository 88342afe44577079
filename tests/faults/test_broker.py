"""Faults 28, 29, 31 and 32: the broker dies, forgets, repeats itself and talks nonsense."""

import json
import time

import pytest

from tests.faults.harness import QUEUE, Harness
from tests.faults.load import load
from tests.shop import signature

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]
slow = pytest.mark.faults


@slow
def test_28_garbage_in_a_queue_ends_a_worker_and_the_next_goes_on(faulty: Harness) -> None:
    worker = faulty.pid("worker_payments")
    with faulty.broker() as broker:
        broker.lpush(QUEUE.format("payments"), b"\x00 not a message {")

    faulty.buyer().buy()

    faulty.until(lambda: faulty.queued("payments") == [], "the garbage is gone")
    faulty.until(
        lambda: faulty.pid("worker_payments") != worker, "the worker that choked is replaced"
    )


@slow
def test_29_ten_doorbells_for_one_job_are_one_try(faulty: Harness) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.deaf("worker_payments"):
        buyer.start_payment()
        (message,) = faulty.queued("payments")
        with faulty.broker() as broker:
            broker.lpush(QUEUE.format("payments"), *[message] * 9)
    buyer.follow()
    buyer.pay()
    faulty.until(lambda: faulty.queued("payments") == [], "all ten were heard")

    assert faulty.job("payments.create_intent", buyer.order["id"])["attempts"] == 1


def test_31_a_broker_that_is_killed_under_load_comes_back_to_workers_that_listen(
    faulty: Harness,
) -> None:
    _kill_broker_under_load(faulty, times=1)


@slow
def test_31_five_deaths_of_the_broker_under_load_kill_no_worker(faulty: Harness) -> None:
    workers = {name: pid for name, pid in faulty.run["pids"].items() if "worker" in name}

    _kill_broker_under_load(faulty, times=5)

    pids = faulty.run["pids"]
    assert {name: pids.get(name) for name in workers} == workers


def _kill_broker_under_load(faulty: Harness, times: int) -> None:
    with load(faulty):
        for _ in range(times):
            time.sleep(1)
            faulty.valkey.kill()
            time.sleep(1)
            faulty.valkey.start()
            time.sleep(1)


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=slow)])
def test_32_a_broker_wiped_under_load_loses_no_work(faulty: Harness, times: int) -> None:
    with load(faulty):
        for _ in range(times):
            time.sleep(0.4)
            faulty.wipe_redis()


@slow
def test_32_a_broker_that_comes_back_empty_loses_no_work(faulty: Harness) -> None:
    with load(faulty):
        faulty.valkey.kill()
        for file in faulty.valkey.directory.glob("appendonlydir/*"):
            file.unlink()
        faulty.valkey.start()


@slow
@pytest.mark.parametrize("trouble", ["down", "wiped"])
def test_32_a_thousand_jobs_that_the_broker_never_kept_are_done_once(
    faulty: Harness, trouble: str
) -> None:
    names = [f"evt_{trouble}_{number}" for number in range(1000)]
    if trouble == "down":
        faulty.valkey.kill()
    for number, name in enumerate(names):
        _deliver(faulty, name)
        if trouble == "wiped" and number % 50 == 0:
            faulty.wipe_redis()
    faulty.valkey.start()

    done = (
        "SELECT count(*), count(DISTINCT job_id) FROM job_attempt JOIN job ON job.id = job_id"
        " WHERE dedupe_key LIKE %s AND outcome = 'done'"
    )
    mine = f"hook:stripe:evt_{trouble}_%"
    faulty.until(lambda: faulty.sql(done, mine)[0][1] == len(names), "a thousand jobs are done")
    assert faulty.sql(done, mine) == [(len(names), len(names))]
    assert faulty.sql(
        "SELECT count(*) FROM journal JOIN webhook_event ON webhook_event.id = subject_id"
        " WHERE subject = 'webhook_event' AND to_state = 'ignored' AND event_id LIKE %s",
        f"evt_{trouble}_%",
    ) == [(len(names),)]


def _deliver(faulty: Harness, name: str) -> None:
    """Have the shop take an event that changes nothing: a job, and no more."""
    event = {
        "id": name,
        "object": "event",
        "type": "customer.created",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": {"id": f"cus_{name}", "object": "customer"}},
    }
    body = json.dumps(event).encode()
    headers = signature(body, faulty.run["webhook_secret"])
    assert faulty.post("/orders/webhook/", data=body, headers=headers).json() == {"received": True}


def test_control_without_the_relay_a_wiped_broker_does_lose_work(faulty: Harness) -> None:
    lost, witness = faulty.buyer(), faulty.buyer()
    lost.place()
    witness.place()
    with faulty.frozen("beat"):
        with faulty.deaf("worker_payments"):
            lost.start_payment()
            assert len(faulty.queued("payments")) == 1
            faulty.wipe_redis()
        witness.start_payment()
        witness.follow()  # the queue is served again, and what was in it is not there
        assert faulty.job("payments.create_intent", lost.order["id"])["state"] == "ready"

    lost.follow()
    for buyer in (lost, witness):
        buyer.pay()
