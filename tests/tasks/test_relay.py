"""Relay, reaper and clockwork: what beat does with PostgreSQL alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

import settings
import tasks
from models import lease, ringing
from models.base import connect, db
from models.kinds import KINDS
from models.session import Rung
from sandbox.servers import free_port
from tasks import relay
from tasks.base import drain, perform
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def _trial(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)


def rung_for() -> set[int]:
    """The jobs that a round of the relay rings for."""
    with shop.database() as session:
        return {rung.job_id for rung in ringing.due(session)}


def let_silence_pass(seconds: int) -> None:
    """Make the last ring of every job so much older."""
    with shop.database() as session:
        older = "UPDATE job SET rung_at = rung_at - :by, run_at = run_at - :by"
        session.execute(text(older), {"by": timedelta(seconds=seconds)})


def test_the_relay_rings_for_what_is_due_and_only_again_after_a_pause() -> None:
    due = jobs.stage("due")
    jobs.stage("later", after=timedelta(hours=1))
    jobs.claimed(jobs.stage("leased"))
    perform(jobs.stage("done"))

    assert rung_for() == set()  # the commit itself has rung a moment ago
    let_silence_pass(3)
    assert rung_for() == {due}
    assert rung_for() == set()


def test_the_pause_grows_to_half_a_minute_and_no_further() -> None:
    waiting = jobs.stage()
    let_silence_pass(600)
    with shop.database() as session:
        session.execute(text("UPDATE job SET rung_at = clock_timestamp() - interval '20 s'"))
    assert rung_for() == set()
    with shop.database() as session:
        session.execute(text("UPDATE job SET rung_at = clock_timestamp() - interval '31 s'"))
    assert rung_for() == {waiting}


def test_a_delayed_job_is_rung_for_as_soon_as_it_is_due() -> None:
    delayed = jobs.stage(after=timedelta(minutes=5))
    let_silence_pass(200)
    assert rung_for() == set()
    let_silence_pass(101)
    assert rung_for() == {delayed}


def test_a_job_that_was_put_off_for_a_moment_waits_no_longer_than_that() -> None:
    handed_back = jobs.stage(after=timedelta(seconds=0.5))
    let_silence_pass(1)
    assert rung_for() == {handed_back}
    assert rung_for() == set()


def test_two_relays_share_the_jobs_and_neither_waits_for_the_other() -> None:
    staged = {jobs.stage(f"trial:{n}") for n in range(6)}
    let_silence_pass(3)

    with shop.database() as one, shop.database() as other:
        first = {rung.job_id for rung in ringing.due(one, limit=4)}
        second = {rung.job_id for rung in ringing.due(other)}

    assert (len(first), len(second)) == (4, 2)
    assert first | second == staged


def test_the_reaper_frees_expired_leases_and_no_others() -> None:
    dead = jobs.claimed(jobs.stage("dead"))
    shop.let_leases_expire()
    alive = jobs.claimed(jobs.stage("alive"))

    assert relay_round(relay.reap) == 1

    assert (jobs.state(dead.job_id), jobs.state(alive.job_id)) == ("ready", "leased")
    assert shop.sql("SELECT attempts, last_error FROM job WHERE state = 'ready'") == [
        (1, "lease of worker expired")
    ]
    assert relay_round(relay.reap) == 0


def test_two_reapers_share_the_leases_and_neither_waits_for_the_other() -> None:
    for n in range(4):
        jobs.claimed(jobs.stage(f"trial:{n}"))
    shop.let_leases_expire()

    with shop.database() as one, shop.database() as other:
        assert (lease.reap(one, limit=3), lease.reap(other)) == (3, 1)


def relay_round(step: Callable[[], int]) -> int:
    with tasks.database_app.app_context():
        return step()


def test_a_slot_is_staged_once_by_many_beats_and_the_next_slot_again() -> None:
    together = threading.Barrier(4)

    def beat() -> bool:
        with tasks.database_app.app_context():
            together.wait(timeout=10)
            return relay.stage_slot("trial", jobs.TRIAL, timedelta(hours=24))

    for staged in (1, 2):
        with ThreadPoolExecutor(4) as pool:
            firsts = [each.result() for each in [pool.submit(beat) for _ in range(4)]]
        assert sorted(firsts) == [False, False, False, True]
        assert shop.sql("SELECT count(*) FROM job") == [(staged,)]
        drain()
        shop.let_pass(hours=24)


def test_missed_slots_and_a_backlog_add_no_second_job_of_an_entry() -> None:
    day = timedelta(hours=24)

    def stage_slot() -> bool:
        with tasks.database_app.app_context():
            return relay.stage_slot("trial", jobs.TRIAL, day)

    assert stage_slot()
    for _ in range(3):  # no worker is there to do the first
        shop.let_pass(hours=24)
        assert not stage_slot()
    drain()
    shop.let_pass(hours=240)  # and no beat for ten days

    assert [stage_slot(), stage_slot()] == [True, False]
    assert shop.sql("SELECT state FROM job ORDER BY id") == [("done",), ("ready",)]


def test_a_round_stages_the_sweep_rings_and_reaps(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []

    class Bell:
        is_silent = False

        def __call__(self, jobs: list[Rung], _signals: list[str]) -> None:
            heard.extend(rung.job_id for rung in jobs)

    held = jobs.claimed(jobs.stage())
    shop.let_leases_expire()
    let_silence_pass(3)
    monkeypatch.setattr(tasks, "doorbell", Bell())

    scheduler = relay.LedgerScheduler(app=tasks.app)
    assert scheduler.tick() == settings.current().relay_period_seconds

    assert heard == [held.job_id]
    assert shop.sql("SELECT kind FROM job WHERE dedupe_key LIKE 'sweep:%'") == [
        ("reservations.sweep",)
    ]


def test_every_periodic_entry_names_a_kind_of_job() -> None:
    entries = tasks.app.conf.beat_schedule.values()
    assert {entry["task"] for entry in entries} <= KINDS.keys()


def test_beat_outlives_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"postgresql+psycopg://orders@127.0.0.1:{free_port(None)}/orders"
    lost = Flask("lost")
    connect(lost, replace(settings.current(), database_url=nowhere), pool_size=1, pool_timeout=1)
    scheduler = relay.LedgerScheduler(app=tasks.app)

    with monkeypatch.context() as away:
        away.setattr(tasks, "database_app", lost)
        assert scheduler.tick() > 0
    assert "this round of the relay failed" in caplog.text
    assert shop.sql("SELECT id FROM job") == []
    with lost.app_context():
        db.engine.dispose()

    scheduler.tick()
    assert ("reservations.sweep",) in shop.sql("SELECT kind FROM job")
