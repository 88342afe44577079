"""The one form of a job: how it may end, fail, be repeated and die."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import catalogue, lease
from models import job as ledger
from models.kinds import Retry
from tasks.base import DiedError, NoEndError, Work, drain, perform
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")


class DeathError(BaseException):
    """The worker dies: no exception of the job's own, so nothing is recorded."""


def test_a_job_that_dies_each_time_ends_dead_and_its_last_will_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []
    wills: list[tuple[Exception, int]] = []

    def poison(work: Work, n: int) -> None:
        tries.append(n)
        raise DeathError

    def will(session: Session, error: Exception, n: int) -> None:
        wills.append((error, n))
        catalogue.find(session, [])  # the transaction that ends the job is open

    jobs.declare(monkeypatch, poison, retry=Retry(attempts=3), exhausted=will)
    staged = jobs.stage(n=7)
    for _ in range(3):
        with pytest.raises(DeathError):
            perform(staged)
        assert jobs.state(staged) == "leased"
        shop.let_leases_expire()
        with shop.database() as session:
            lease.reap(session)
    perform(staged)

    assert tries == [7, 7, 7]
    ((error, n),) = wills
    assert isinstance(error, DiedError)
    assert n == 7
    assert shop.sql("SELECT state, attempts FROM job") == [("dead", 4)]
    assert jobs.outcomes(staged) == [(4, "dead")]
    perform(staged)
    assert len(wills) == 1


def test_the_try_is_counted_before_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def watch(work: Work) -> None:
        seen.extend(shop.sql("SELECT state, attempts FROM job"))
        work.skip("seen")

    jobs.declare(monkeypatch, watch)
    perform(jobs.stage())

    assert seen == [("leased", 1)]


def test_a_failing_job_is_tried_as_often_as_its_kind_says_then_dies_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(work: Work) -> None:
        raise ValueError("always")

    jobs.declare(monkeypatch, fail, retry=Retry(attempts=3))
    staged = jobs.stage()
    for _ in range(5):
        shop.run_jobs(jobs.TRIAL)
        shop.let_pass(minutes=30)

    assert jobs.outcomes(staged) == [(1, "retry"), (2, "retry"), (3, "dead")]
    assert shop.sql("SELECT state, attempts, last_error FROM job") == [
        ("dead", 3, "ValueError: always")
    ]


def test_a_failed_job_is_due_again_after_its_delay_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(work: Work) -> None:
        raise ValueError("for now")

    jobs.declare(monkeypatch, fail)
    monkeypatch.setattr("random.uniform", lambda _floor, _ceiling: 300.0)
    staged = jobs.stage()
    perform(staged)

    assert drain() == 0
    shop.let_pass(seconds=299 - 10)
    assert drain() == 0
    shop.let_pass(seconds=15)
    assert drain() == 1


def test_an_error_that_nothing_mends_ends_the_job_at_its_first_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(work: Work) -> None:
        raise KeyError("never")

    jobs.declare(monkeypatch, refuse, retry=Retry(permanent=(LookupError,)))
    staged = jobs.stage()
    perform(staged)

    assert jobs.outcomes(staged) == [(1, "dead")]


def test_a_job_that_returns_without_an_end_is_an_error_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs.declare(monkeypatch, lambda work: None)
    staged = jobs.stage()
    perform(staged)

    ((state, error),) = shop.sql("SELECT state, last_error FROM job")
    assert state == "ready"
    assert NoEndError.__name__ in error
    assert jobs.outcomes(staged) == [(1, "retry")]


def test_no_transaction_is_open_while_a_job_calls_the_outside_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_ones: list[int] = []

    def call(work: Work) -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        open_ones.extend(count for (count,) in shop.sql(query))
        work.skip("seen")

    jobs.declare(monkeypatch, call)
    perform(jobs.stage())

    assert open_ones == [0]


def test_a_worker_that_lost_its_lease_drains_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(work: Work, name: str) -> None:
        if name == "slow":
            shop.let_leases_expire()
            with shop.database() as session:
                lease.reap(session)
                session.execute(text("UPDATE job SET run_at = run_at + interval '1 h'"))
            raise ValueError("too late")
        work.skip("quick")

    jobs.declare(monkeypatch, lose)
    slow, quick = jobs.stage("slow", name="slow"), jobs.stage("quick", name="quick")
    perform(slow)
    shop.let_pass(hours=2)
    perform(quick)

    assert (jobs.state(slow), jobs.outcomes(slow)) == ("ready", [])
    assert jobs.state(quick) == "done"


def test_the_ledger_drains_without_a_broker_what_jobs_stage_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[int] = []

    def count_down(work: Work, n: int) -> None:
        with work.finish() as session:
            done.append(n)
            if n:
                ledger.stage(session, jobs.TRIAL, key=f"trial:{n - 1}", n=n - 1)

    jobs.declare(monkeypatch, count_down)
    jobs.stage("trial:3", n=3)

    assert drain(limit=2) == 2
    assert done == [3, 2]
    assert drain() == 2
    assert done == [3, 2, 1, 0]
    assert drain() == 0
