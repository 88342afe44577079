"""Pruning: what was kept long enough goes, what is still needed stays."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

import settings
from models import job, retention
from models.retention import Pruner
from tasks import database_app, maintenance, relay
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")


def _keep_journal(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    chosen = replace(settings.current(), keep_journal_days=days)
    monkeypatch.setattr("settings.current", lambda: chosen)


def _prune() -> None:
    """Have the periodic job done, once more."""
    key = f"prune:{_count('job')}"
    with shop.database() as session:
        job.stage(session, "maintenance.prune", key=key)
    shop.run_jobs("maintenance.prune")
    assert shop.sql("SELECT state FROM job WHERE dedupe_key = :key", key=key) == [("done",)]


def _count(table: str) -> int:
    ((number,),) = shop.sql(f"SELECT count(*) FROM {table}")
    return int(number)


# --- jobs ---


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A job that ended in each way, and one that waits, each with an argument and a try."""
    jobs.declare(monkeypatch, lambda work, number: work.skip("trial"))
    return {state: _job(state) for state in ("done", "cancelled", "dead", "ready")}


def _job(state: str) -> int:
    job_id = jobs.stage(state, number=7)
    lease = jobs.claimed(job_id)
    with shop.database() as session:
        if state in ("done", "dead"):
            job.end(session, lease, state, state, "an error")
        else:
            job.put_back(session, lease, "an error", timedelta(0))
    if state == "cancelled":
        shop.sql(
            "UPDATE job SET state = 'cancelled', finished_at = clock_timestamp()"
            " WHERE id = :job_id RETURNING id",
            job_id=job_id,
        )
    return job_id


def _carried(job_id: int) -> tuple[Any, ...]:
    (row,) = shop.sql(
        "SELECT payload, lease_owner, (SELECT count(*) FROM job_attempt WHERE job_id = job.id)"
        " FROM job WHERE id = :job_id",
        job_id=job_id,
    )
    return tuple(row)


def test_ended_jobs_lose_what_they_carry_and_keep_their_row(ended: dict[str, int]) -> None:
    whole = ({"number": 7}, "worker", 1)
    shop.let_pass(days=29)
    _prune()
    assert {_carried(job_id) == whole for job_id in ended.values()} == {True}

    shop.let_pass(days=2)
    _prune()
    assert _carried(ended["done"]) == _carried(ended["cancelled"]) == ({}, None, 0)
    assert _carried(ended["dead"]) == _carried(ended["ready"]) == whole


def test_a_pruned_jobs_key_still_keeps_its_work_from_being_done_twice(
    ended: dict[str, int],
) -> None:
    shop.let_pass(days=31)
    _prune()
    assert jobs.stage("done", number=8) == ended["done"]
    assert jobs.state(ended["done"]) == "done"


def test_what_was_pruned_is_not_looked_at_again(ended: dict[str, int]) -> None:
    shop.let_pass(days=31)
    with shop.database() as session:
        assert retention.prune_jobs(session, 500) == 2
    with shop.database() as session:
        assert retention.prune_jobs(session, 500) == 0


# --- the others ---


def _event(number: int, state: str) -> None:
    shop.sql(
        "INSERT INTO webhook_event (provider, event_id, type, body, state, occurred_at,"
        " received_at) SELECT 'stripe', :name, 't', '{\"a\": 1}', :state, at, at FROM"
        " (SELECT clock_timestamp() AS at) AS present RETURNING id",
        name=f"evt_{number}",
        state=state,
    )


def test_bodies_of_ended_events_go_and_the_others_stay() -> None:
    for number, state in enumerate(("applied", "ignored", "parked", "received")):
        _event(number, state)
    with shop.database() as session:
        assert retention.prune_event_bodies(session, 500) == 0
    shop.let_pass(days=91)
    _prune()

    emptied = shop.sql("SELECT state, body = '{}' FROM webhook_event ORDER BY id")
    assert emptied == [("applied", True), ("ignored", True), ("parked", False), ("received", False)]
    shop.sql("DELETE FROM webhook_event RETURNING id")  # whose states nothing led to


def test_idempotency_keys_go_after_three_days(client: FlaskClient) -> None:
    shop.make_item()
    headers = {"Idempotency-Key": "k"}
    first = client.post("/orders/create/", json=shop.order_body(), headers=headers)
    shop.let_pass(hours=71)
    _prune()
    again = client.post("/orders/create/", json=shop.order_body(), headers=headers)
    assert shop.body_of(again)["id"] == shop.body_of(first)["id"]

    shop.let_pass(hours=2)
    with shop.database() as session:
        assert retention.prune_idempotency_keys(session, 500) == 1
    new = client.post("/orders/create/", json=shop.order_body(), headers=headers)
    assert shop.body_of(new)["id"] != shop.body_of(first)["id"]


def test_old_slots_and_closed_findings_go() -> None:
    shop.sql(
        "INSERT INTO periodic_run (name, slot, at) VALUES ('sweep', 1, clock_timestamp())"
        " RETURNING id"
    )
    for number, closed in ((1, "clock_timestamp()"), (2, "NULL")):
        shop.sql(
            "INSERT INTO finding (promise, invariant, subject, subject_id, detail, repair,"
            f" first_seen_at, last_seen_at, closed_at) VALUES ('p', 1, 'orders', {number}, '', '',"
            f" clock_timestamp(), clock_timestamp(), {closed}) RETURNING id"
        )
    _prune()
    assert (_count("periodic_run"), _count("finding")) == (1, 2)

    shop.let_pass(days=31)
    with shop.database() as session:
        assert retention.prune_periodic_runs(session, 500) == 1
        assert retention.prune_findings(session, 500) == 1
    assert shop.sql("SELECT subject_id FROM finding") == [(2,)]


def test_the_journal_is_kept_for_ever_unless_said_otherwise(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item()
    shop.place(client)
    entries = _count("journal")
    shop.let_pass(days=5000)
    _prune()
    assert _count("journal") == entries

    _keep_journal(monkeypatch, 30)
    with shop.database() as session:
        assert retention.prune_journal(session, 500) == entries


def test_a_young_journal_is_not_pruned(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_journal(monkeypatch, 30)
    shop.make_item()
    shop.place(client)
    with shop.database() as session:
        assert retention.prune_journal(session, 500) == 0


# --- in batches ---


def _slots(number: int) -> None:
    shop.sql(
        "INSERT INTO periodic_run (name, slot, at) SELECT 'sweep', slot, clock_timestamp()"
        " FROM generate_series(1, :number) AS slot RETURNING id",
        number=number,
    )
    shop.let_pass(days=8)


def test_a_batch_is_bounded_and_takes_the_oldest() -> None:
    _slots(5)
    with shop.database() as session:
        assert retention.prune_periodic_runs(session, 2) == 2
    assert shop.sql("SELECT slot FROM periodic_run ORDER BY slot") == [(3,), (4,), (5,)]


def test_a_job_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_BATCH", 2)
    _slots(5)
    _prune()
    assert _count("periodic_run") == 0


def test_a_crash_between_two_batches_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_BATCH", 2)
    _slots(5)

    def crash(_session: Session, _size: int) -> int:
        raise SystemExit

    pruners: tuple[Pruner, ...] = (retention.prune_periodic_runs, crash)
    with monkeypatch.context() as crashing:
        crashing.setattr(maintenance, "PRUNERS", pruners)
        with shop.database() as session:
            job.stage(session, "maintenance.prune", key="prune:crash")
        with pytest.raises(SystemExit):
            shop.run_jobs("maintenance.prune")
    assert _count("periodic_run") == 3  # the batch before the crash is committed

    shop.let_leases_expire()
    with database_app.app_context():
        assert relay.reap() == 1
    shop.run_jobs("maintenance.prune")
    assert _count("periodic_run") == 0


def test_time_that_runs_out_leaves_the_rest_for_the_next_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "_SHARE_OF_LEASE", 0)
    _slots(5)
    _prune()
    assert _count("periodic_run") == 5
