"""Fault 33: the database goes away in the middle of everything."""

import signal
import time

import pytest

from tests.faults.harness import Harness
from tests.faults.load import load

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240)]
slow = pytest.mark.faults


@pytest.mark.parametrize(
    "signum",
    [signal.SIGKILL, pytest.param(signal.SIGQUIT, marks=slow)],
    ids=["killed", "immediate"],
)
def test_33_a_database_that_restarts_in_the_middle_of_a_job_leaves_no_half_state(
    faulty: Harness, signum: signal.Signals
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with faulty.webhooks_held(), faulty.provider_fault("delay", seconds=1.5):
        buyer.start_payment()
        faulty.until(
            lambda: faulty.job("payments.create_intent", buyer.order["id"])["state"] == "leased",
            "the provider is being asked",
        )
        faulty.restart_database(signum)

    buyer.follow()
    buyer.pay()


@slow
def test_33_a_database_that_restarts_under_load_loses_nothing(faulty: Harness) -> None:
    with load(faulty):
        for signum in (signal.SIGKILL, signal.SIGQUIT):
            time.sleep(1)
            faulty.restart_database(signum)
            time.sleep(1)


@slow
def test_33_every_connection_of_workers_cut_again_and_again_loses_nothing(faulty: Harness) -> None:
    with load(faulty):
        for _ in range(10):
            time.sleep(0.3)
            faulty.worker_to_database.cut()
            faulty.web_to_database.cut()


@slow
@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
def test_12_a_workers_connection_cut_at_commit_has_one_effect(
    faulty: Harness, *, is_sent: bool
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    with (
        faulty.webhooks_held(),
        faulty.worker_to_database.set_trap(b"pi_", b"COMMIT", is_sent=is_sent) as trap,
    ):
        buyer.start_payment()
        trap.wait()

    buyer.follow()
    buyer.pay()
