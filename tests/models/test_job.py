"""The ledger's verbs: stage, claim, end, put back."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from models import job, kinds, lease
from models.job import Lease
from models.kinds import Retry, UnknownKindError
from models.session import Rung, transaction
from tasks import database_app
from tasks.base import Work, drain, perform
from tests import jobs, shop

pytestmark = pytest.mark.usefixtures("app")
WORKERS = 4


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Rung]:
    """What the bell was rung for."""
    heard: list[Rung] = []
    monkeypatch.setattr("models.session._bell", lambda jobs, signals: heard.extend(jobs))
    return heard


def stage_and_fail(kind: str = jobs.TRIAL) -> None:
    with transaction() as session:
        job.stage(session, kind, key="trial")
        raise RuntimeError("the fact did not happen")


def roll_back_after_staging(kind: str = jobs.TRIAL) -> None:
    with database_app.app_context():
        stage_and_fail(kind)


def test_a_job_staged_in_a_rolled_back_transaction_is_not_there_and_not_rung(
    monkeypatch: pytest.MonkeyPatch, rung: list[Rung]
) -> None:
    jobs.declare(monkeypatch)

    with pytest.raises(RuntimeError, match="the fact"):
        roll_back_after_staging()
    assert (rung, shop.sql("SELECT id FROM job")) == ([], [])

    staged = jobs.stage()
    assert rung == [Rung(staged, jobs.TRIAL)]


def test_a_commit_does_not_ring_for_what_an_earlier_transaction_lost(
    monkeypatch: pytest.MonkeyPatch, rung: list[Rung]
) -> None:
    jobs.declare(monkeypatch)
    with database_app.app_context():  # one session for both
        with pytest.raises(RuntimeError, match="the fact"):
            stage_and_fail()
        with transaction() as session:
            session.execute(text("SELECT 1"))
    assert rung == []


def test_many_jobs_are_staged_at_once_each_by_its_key_and_rung_for(
    monkeypatch: pytest.MonkeyPatch, client: FlaskClient, rung: list[Rung]
) -> None:
    jobs.declare(monkeypatch, lambda work, payment_id: work.skip("trial"))
    shop.make_item()
    order_id = shop.place(client)["id"]

    def stage_all(**numbers: int) -> None:
        new = [job.New(key, order_id, {"payment_id": number}) for key, number in numbers.items()]
        with shop.database() as session:
            job.stage_all(session, jobs.TRIAL, new)

    stage_all(a=1, b=2)
    stage_all(b=3, c=4)
    stage_all()
    rows = shop.sql("SELECT id, dedupe_key, order_id, payload FROM job ORDER BY id")
    assert [row[1:] for row in rows] == [
        (key, order_id, {"payment_id": number}) for key, number in [("a", 1), ("b", 2), ("c", 4)]
    ]
    assert rung == [Rung(row[0], jobs.TRIAL) for row in rows]
    with pytest.raises(TypeError), shop.database() as session:
        job.stage_all(session, jobs.TRIAL, [job.New("d", order_id, {})])


def test_an_unknown_kind_and_arguments_that_do_not_fit_fail_where_they_are_staged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs.declare(monkeypatch, lambda work, payment_id: work.skip("trial"))

    with pytest.raises(UnknownKindError):
        roll_back_after_staging("payments.unheard_of")
    wrong: list[dict[str, Any]] = [{}, {"order": 1}, {"payment_id": 1, "more": 2}]
    for arguments in wrong:
        with pytest.raises(TypeError):
            jobs.stage(**arguments)
    assert shop.sql("SELECT id FROM job") == []


def test_a_known_key_changes_nothing_not_even_after_the_job_is_done(
    monkeypatch: pytest.MonkeyPatch, rung: list[Rung]
) -> None:
    jobs.declare(monkeypatch, lambda work, n: work.skip("trial"))
    staged = jobs.stage(n=1)
    assert jobs.stage(n=2) == staged
    shop.run_jobs(jobs.TRIAL)
    assert jobs.stage(n=3) == staged

    assert shop.sql("SELECT state, payload FROM job") == [("done", {"n": 1})]
    assert len(rung) == 1


def test_a_delayed_job_is_neither_rung_nor_claimed_before_its_time(
    monkeypatch: pytest.MonkeyPatch, rung: list[Rung]
) -> None:
    jobs.declare(monkeypatch)
    staged = jobs.stage(after=timedelta(minutes=5))

    assert (rung, jobs.claim(staged)) == ([], None)
    shop.let_pass(minutes=6)
    assert jobs.claim(staged) is not None


def test_a_claim_is_for_one_with_a_token_of_its_own_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs.declare(monkeypatch)
    staged = jobs.stage()

    first = jobs.claimed(staged)
    assert jobs.claim(staged) is None
    with shop.database() as session:
        job.put_back(session, first, "again", timedelta(0))
    second = jobs.claimed(staged)

    assert first.token != second.token
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_job_of_a_kind_that_this_process_does_not_know_stays_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs.declare(monkeypatch)
    staged = jobs.stage()
    monkeypatch.delitem(kinds.KINDS, jobs.TRIAL)

    perform(staged)
    assert drain() == 0

    assert shop.sql("SELECT state, attempts FROM job") == [("ready", 0)]


def claims_at_once(staged: int) -> list[uuid.UUID]:
    """The tokens that so many workers get when all claim at the same moment."""
    together = threading.Barrier(WORKERS)

    def claim() -> uuid.UUID | None:
        with shop.database() as session:
            together.wait(timeout=10)
            lease = job.claim(session, staged, "worker")
            return lease.token if lease else None

    with ThreadPoolExecutor(WORKERS) as pool:
        tokens = [each.result() for each in [pool.submit(claim) for _ in range(WORKERS)]]
    return [token for token in tokens if token is not None]


def test_of_many_claims_at_once_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)
    for round_ in range(5):
        (token,) = claims_at_once(jobs.stage(f"trial:{round_}"))
        assert shop.sql("SELECT lease_token FROM job ORDER BY id DESC LIMIT 1") == [(token,)]


def test_a_claim_without_its_condition_would_let_several_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def careless(session: Session, job_id: int, owner: str) -> Any:
        token = uuid.uuid4()
        session.execute(
            text("UPDATE job SET state = 'leased', lease_token = :token WHERE id = :job_id"),
            {"token": token, "job_id": job_id},
        )
        return type("Lease", (), {"token": token})

    jobs.declare(monkeypatch)
    monkeypatch.setattr(job, "claim", careless)

    assert len(claims_at_once(jobs.stage())) == WORKERS


def take_lease_away() -> None:
    """What befalls a worker that froze: its lease expires and the job is ready again."""
    shop.let_leases_expire()
    with shop.database() as session:
        assert lease.reap(session) == 1


def sell_out(session: Session) -> None:
    """An effect to look for."""
    session.execute(text("UPDATE stock_item SET title = title || '!'"))


def finish(work: Work) -> None:
    with work.finish() as session:
        sell_out(session)


def retry(work: Work) -> None:
    work.retry(RuntimeError("no answer"), also=sell_out)


def skip(work: Work) -> None:
    work.skip("nothing to do")


def overtaken(monkeypatch: pytest.MonkeyPatch, end: Callable[[Work], None]) -> None:
    """Do a job that another worker does from beginning to end before this one gets to `end`."""
    workers = iter(["frozen", "fresh"])

    def work_on(work: Work, job_id: int) -> None:
        if next(workers) == "frozen":
            take_lease_away()
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(perform, job_id).result()
            end(work)
        else:
            finish(work)

    shop.make_item()
    jobs.declare(monkeypatch, work_on)
    staged = jobs.stage(job_id=0)
    shop.sql("UPDATE job SET payload = jsonb_build_object('job_id', id) RETURNING id")
    perform(staged)


@pytest.mark.parametrize("end", [finish, retry, skip])
def test_a_worker_that_was_overtaken_records_nothing_however_it_ends(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Work], None]
) -> None:
    overtaken(monkeypatch, end)

    assert shop.sql("SELECT title FROM stock_item") == [("Blue T-shirt!",)]
    assert shop.sql("SELECT state, attempts FROM job") == [("done", 2)]
    assert shop.sql("SELECT attempt, outcome FROM job_attempt") == [(2, "done")]


def test_without_the_fence_the_stale_effect_would_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "end", lambda *_: None)
    overtaken(monkeypatch, finish)
    assert shop.sql("SELECT title FROM stock_item") == [("Blue T-shirt!!",)]


@pytest.mark.parametrize("end", [finish, retry, skip])
def test_a_worker_whose_job_is_in_other_hands_records_nothing(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Work], None]
) -> None:
    fresh: list[Lease] = []

    def freeze(work: Work) -> None:
        take_lease_away()
        fresh.append(jobs.claimed(staged))
        end(work)

    shop.make_item()
    jobs.declare(monkeypatch, freeze)
    staged = jobs.stage()
    perform(staged)

    assert shop.sql("SELECT title FROM stock_item") == [("Blue T-shirt",)]
    assert shop.sql("SELECT state, lease_token FROM job") == [("leased", fresh[0].token)]


def test_a_moved_clock_makes_jobs_due_and_takes_no_lease_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs.declare(monkeypatch)
    held = jobs.claimed(jobs.stage("held"))
    later = jobs.stage("later", after=timedelta(days=20))

    shop.let_pass(days=21)

    with shop.database() as session:
        assert lease.reap(session) == 0
    assert jobs.claim(later) is not None
    assert jobs.state(held.job_id) == "leased"
    farthest = "SELECT max(lease_until) < clock_timestamp() + interval '1 h' FROM job"
    assert shop.sql(farthest) == [(True,)]


def test_back_off_doubles_up_to_the_cap_and_its_jitter_is_full() -> None:
    patience = Retry(base=2)
    cap = settings.current().job_backoff_cap_seconds
    for attempt, ceiling in ((1, 2), (2, 4), (5, 32), (30, cap), (200, cap)):
        delays = [patience.delay(attempt).total_seconds() for _ in range(200)]
        assert all(0 <= delay <= ceiling for delay in delays)
        assert min(delays) < ceiling / 4
        assert max(delays) > ceiling * 3 / 4
