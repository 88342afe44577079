"""What people do at the job ledger: look, have it tried again, call it off."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from models import job, job_desk
from models.job_desk import Filter, NotCancellableError, NotRetryableError
from models.kinds import Retry
from tasks.base import perform
from tests import jobs, shop
from tests.mail import MailServer
from tests.telling import sent_payment, tell

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch, retry=Retry(attempts=2))


def _dead(key: str = "trial") -> int:
    """A job that was tried in vain, as often as its kind allows."""
    job_id = jobs.stage(key)
    for _ in range(2):
        lease = jobs.claimed(job_id)
        with shop.database() as session:
            job.put_back(session, lease, "broken", timedelta(0))
    lease = jobs.claimed(job_id)
    with shop.database() as session:
        job.end(session, lease, "dead", "dead", "broken")
    return job_id


def _find(limit: int = 10, after: int | None = None, **wanted: Any) -> list[int]:
    with shop.database() as session:
        found = job_desk.find(session, Filter(**wanted), limit=limit, after=after)
    return [each.id for each in found]


def _retry(job_id: int, why: str = "mended") -> None:
    with shop.database() as session:
        job_desk.retry(session, job_id, who="staff:1", why=why)


def _cancel(job_id: int) -> None:
    with shop.database() as session:
        job_desk.cancel(session, job_id, who="staff:1", why="pointless")


def _journal(job_id: int) -> list[Any]:
    return shop.sql(
        "SELECT what, from_state, to_state, who, why FROM journal"
        " WHERE subject = 'job' AND subject_id = :job_id ORDER BY id",
        job_id=job_id,
    )


def test_jobs_are_found_by_each_filter_and_page_by_page() -> None:
    dead = _dead()
    others = [jobs.stage(f"trial:{number}") for number in range(3)]
    newest_first = [*reversed(others), dead]

    assert _find() == newest_first
    assert _find(limit=2) == newest_first[:2]
    assert _find(limit=2, after=newest_first[1]) == newest_first[2:]
    assert _find(state="dead") == _find(state="dead", kind=jobs.TRIAL, queue="payments") == [dead]
    assert _find(kind="payments.close") == _find(queue="mail") == _find(order_id=1) == []
    assert _find(older_than=timedelta(minutes=5)) == []
    shop.let_pass(minutes=6)
    assert _find(older_than=timedelta(minutes=5)) == newest_first


def test_a_dead_job_is_tried_anew_as_often_as_its_kind_allows() -> None:
    job_id = _dead()
    _retry(job_id)

    assert _journal(job_id) == [("job.state", "dead", "ready", "staff:1", "mended")]
    assert shop.sql("SELECT attempts, max_attempts, finished_at FROM job") == [(3, 5, None)]
    assert not jobs.claimed(job_id).is_exhausted


def test_a_retried_job_is_done_and_its_tries_are_told_apart() -> None:
    job_id = _dead()
    _retry(job_id)
    perform(job_id)

    assert jobs.state(job_id) == "done"
    assert [number for number, _ in jobs.outcomes(job_id)] == [1, 2, 3, 4]
    with shop.database() as session:
        told = [(each.attempt, each.outcome) for each in job_desk.attempts(session, job_id)]
    assert told == jobs.outcomes(job_id)


def test_a_retried_job_is_due_at_once_and_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = _dead()
    rung: list[object] = []
    monkeypatch.setattr("models.session._bell", lambda each, _signals: rung.extend(each))
    shop.sql("UPDATE job SET run_at = run_at + interval '1 h' RETURNING id")
    _retry(job_id)

    assert rung == [(job_id, jobs.TRIAL)]
    assert jobs.claim(job_id) is not None


def test_a_mail_that_was_refused_goes_out_when_its_job_is_retried(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item()
    tell(sent_payment(client, shop.place(client)), "succeeded")
    with MailServer(monkeypatch) as server:
        server.refusals = ["550 no such person"]
        shop.run_jobs("notifications.send")
        ((job_id,),) = shop.sql("SELECT id FROM job WHERE state = 'dead'")
        _retry(job_id)
        shop.run_jobs("notifications.send")
        assert len(server.received) == 1
    assert shop.sql("SELECT state FROM notification") == [("sent",)]


def test_a_cancelled_job_can_be_taken_up_again() -> None:
    job_id = jobs.stage()
    _cancel(job_id)
    assert jobs.claim(job_id) is None
    assert shop.sql("SELECT state, finished_at IS NOT NULL FROM job") == [("cancelled", True)]

    _retry(job_id)
    assert jobs.claim(job_id) is not None
    assert [entry[1:3] for entry in _journal(job_id)] == [
        ("ready", "cancelled"),
        ("cancelled", "ready"),
    ]


@pytest.mark.parametrize("state", ["ready", "leased", "done"])
def test_what_is_not_dead_is_not_retried(state: str) -> None:
    job_id = jobs.stage()
    if state != "ready":
        lease = jobs.claimed(job_id)
    if state == "done":
        with shop.database() as session:
            job.end(session, lease, "done", "done")

    with pytest.raises(NotRetryableError, match=state):
        _retry(job_id)
    assert (jobs.state(job_id), _journal(job_id)) == (state, [])


def test_a_job_that_a_worker_holds_is_not_cancelled() -> None:
    job_id = jobs.stage()
    lease = jobs.claimed(job_id)
    with pytest.raises(NotCancellableError, match="leased"):
        _cancel(job_id)

    with shop.database() as session:
        job.end(session, lease, "done", "done")
    with pytest.raises(NotCancellableError, match="done"):
        _cancel(job_id)
    assert _journal(job_id) == []


def test_of_two_people_who_retry_one_does() -> None:
    job_id = _dead()

    def retry(_number: int) -> bool:
        try:
            _retry(job_id)
        except NotRetryableError:
            return False
        return True

    assert sorted(shop.at_once(retry, 4)) == [False, False, False, True]
    assert len(_journal(job_id)) == 1


def test_a_job_whose_arguments_were_pruned_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch, lambda work, number: work.skip("trial"))
    job_id = jobs.stage(number=7)
    _cancel(job_id)
    shop.sql("UPDATE job SET payload = '{}' RETURNING id")

    with pytest.raises(NotRetryableError, match="pruned"):
        _retry(job_id)


def test_a_job_of_an_unknown_kind_is_left_for_whoever_knows_it() -> None:
    job_id = _dead()
    shop.sql("UPDATE job SET kind = 'payments.novelty' RETURNING id")
    with pytest.raises(NotRetryableError, match="kind"):
        _retry(job_id)


def test_a_job_that_is_not_there_is_neither_retried_nor_cancelled() -> None:
    for act in (_retry, _cancel):
        with pytest.raises(NoResultFound):
            act(1)


def _figures(session: Session, queue: str) -> job_desk.QueueFigures:
    (figures,) = (each for each in job_desk.stats(session) if each.queue == queue)
    return figures


def test_figures_tell_what_waits_runs_and_is_dead_in_each_queue() -> None:
    _dead()
    jobs.claimed(jobs.stage("held"))
    jobs.stage("due")
    shop.let_pass(seconds=90)
    with shop.database() as session:
        job.stage(session, jobs.TRIAL, key="later", after=timedelta(hours=1))

    with shop.database() as session:
        payments, mail = _figures(session, "payments"), _figures(session, "mail")
    assert (payments.ready, payments.due, payments.leased, payments.dead) == (2, 1, 1, 1)
    assert 90 <= payments.oldest_due_seconds < 150
    assert mail == job_desk.QueueFigures(queue="mail")


def test_what_is_not_due_yet_has_no_age(app: Flask) -> None:
    with shop.database() as session:
        job.stage(session, jobs.TRIAL, key="later", after=timedelta(hours=1))
    with shop.database() as session:
        figures = _figures(session, "payments")
    assert (figures.ready, figures.due, figures.oldest_due_seconds) == (1, 0, 0)
