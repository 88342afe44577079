"""Leases beyond the ordinary: renewed, freed when their worker is dead, waiting jobs pulled."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest

from models import job, lease
from models.job import LeaseLostError
from tasks import base, worker
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")


def test_a_renewed_lease_outlives_its_first_end(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)
    held = jobs.claimed(jobs.stage())
    shop.let_leases_expire()

    with shop.database() as session:
        lease.renew(session, held)
    with shop.database() as session:
        assert lease.reap(session) == 0


def test_a_lost_lease_cannot_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)
    held = jobs.claimed(jobs.stage())
    shop.let_leases_expire()
    with shop.database() as session:
        lease.reap(session)

    with pytest.raises(LeaseLostError), shop.database() as session:
        lease.renew(session, held)


def _leased_to(owner: str) -> int:
    job_id = jobs.stage(f"of {owner}")
    with shop.database() as session:
        assert job.claim(session, job_id, owner) is not None
    return job_id


def test_only_the_leases_of_this_hosts_dead_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)
    host = socket.gethostname()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = _leased_to(f"{host}:{gone.pid}:aaaaaaaa")
    reborn = _leased_to(f"{host}:{os.getpid()}:bbbbbbbb")
    alive = [
        _leased_to(worker.owner()),
        _leased_to(f"{host}:{os.getppid()}:cccccccc"),
        _leased_to(f"{host}x:{gone.pid}:dddddddd"),
        _leased_to("elsewhere:1:eeeeeeee"),
    ]

    assert worker.free_the_dead() == 2

    states = dict(shop.sql("SELECT id, state FROM job"))
    assert states == {dead: "ready", reborn: "ready"} | dict.fromkeys(alive, "leased")


def test_a_job_that_waits_for_a_peer_is_not_counted_as_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tasks.breaker import PeerDownError  # noqa: PLC0415

    def work_that_waits(_work: base.Work) -> None:
        raise PeerDownError("the provider", 30.0)

    jobs.declare(monkeypatch, work_that_waits)
    job_id = jobs.stage()
    for _ in range(50):
        base.perform(job_id)
        shop.let_pass(minutes=1)

    assert shop.sql("SELECT state, attempts FROM job") == [("ready", 0)]


def test_no_call_begins_late_in_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import peers  # noqa: PLC0415

    called: list[int] = []

    def work_that_was_held_up(work: base.Work) -> None:
        work._claimed_at -= 36  # of 60 seconds
        work.outside(peers.provider("test"), called.append, 1)
        work.skip("never here")

    jobs.declare(monkeypatch, work_that_was_held_up)
    base.perform(jobs.stage())

    assert called == []
    assert shop.sql("SELECT state, attempts FROM job") == [("ready", 0)]


def test_jobs_that_wait_for_a_peer_are_pulled_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)
    tried, new = jobs.stage("tried"), jobs.stage("new")
    held = jobs.claimed(tried)
    with shop.database() as session:
        job.put_back(session, held, "no answer", timedelta(hours=1))
    with shop.database() as session:
        assert lease.pull_forward(session, [jobs.TRIAL]) == 1

    due = shop.sql("SELECT id FROM job WHERE run_at <= now() ORDER BY id")
    assert due == [(tried,), (new,)]
