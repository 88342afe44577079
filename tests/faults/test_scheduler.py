"""Faults 36 and 37: the clockwork runs twice, stops, and shares its machine with a wrong clock."""

import os
import signal

import pytest

from tests.faults.harness import Harness

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(240), pytest.mark.faults]

_BEAT = ("celery", "--app", "tasks", "beat", "--scheduler", "tasks.relay:LedgerScheduler")
_SLOTS = "SELECT slot FROM periodic_run WHERE name = 'sweep' AND id > %s ORDER BY slot"


def _last(faulty: Harness) -> int:
    ((last,),) = faulty.sql("SELECT max(id) FROM periodic_run")
    return int(last)


def test_36_two_beats_stage_each_slot_once_and_one_may_be_killed(faulty: Harness) -> None:
    before = _last(faulty)
    with faulty.another("beat", *_BEAT, "--loglevel", "warning"):
        faulty.until(lambda: len(faulty.sql(_SLOTS, before)) >= 2, "two slots have come")
        with faulty.killing("beat") as shoot:
            shoot()
        faulty.until(lambda: len(faulty.sql(_SLOTS, before)) >= 5, "five slots have come")

    slots = [slot for (slot,) in faulty.sql(_SLOTS, before)]
    assert slots == list(range(slots[0], slots[0] + len(slots)))
    jobs = "SELECT count(*) FROM job WHERE kind = 'reservations.sweep'"
    assert faulty.sql(jobs) == faulty.sql("SELECT count(*) FROM periodic_run WHERE name = 'sweep'")


def test_36_a_beat_that_slept_through_its_slots_makes_up_for_them_once(faulty: Harness) -> None:
    beat = faulty.pid("beat")
    before = _last(faulty)
    buyer = faulty.buyer()
    buyer.place()
    os.kill(beat, signal.SIGSTOP)
    try:
        faulty.sql("SELECT pg_sleep(5)")  # two slots and more
        faulty.sql(
            "UPDATE orders SET expires_at = clock_timestamp() WHERE id = %s", buyer.order["id"]
        )
        assert faulty.sql(_SLOTS, before) == []
    finally:
        os.kill(beat, signal.SIGCONT)

    expired = "SELECT state FROM orders WHERE id = %s"
    faulty.until(
        lambda: faulty.sql(expired, buyer.order["id"]) == [("expired",)],
        "the next sweep has done what the missed ones would have",
    )
