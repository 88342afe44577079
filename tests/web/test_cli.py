"""The commands of people who run the shop."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests import jobs, shop

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Run:
    jobs.declare(monkeypatch)
    return lambda *words: app.test_cli_runner().invoke(args=[str(word) for word in words])


def _json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _dead(key: str = "trial") -> int:
    job_id = jobs.stage(key)
    shop.sql(
        "UPDATE job SET state = 'dead', last_error = :error WHERE id = :job_id RETURNING id",
        error="broken\n" * 20,
        job_id=job_id,
    )
    return job_id


def test_jobs_are_listed_as_a_table(run: Run) -> None:
    dead, ready = _dead(), jobs.stage("other")
    head, *lines = run("jobs", "list").stdout.splitlines()

    assert head.split()[:4] == ["id", "state", "queue", "kind"]
    assert [line.split()[:2] for line in lines] == [[str(ready), "ready"], [str(dead), "dead"]]
    assert lines[1].endswith("…")
    assert len(lines[1]) < 160


def test_jobs_are_filtered_and_paged(run: Run) -> None:
    dead, ready = _dead(), jobs.stage("other")

    def listed(*words: object) -> list[int]:
        return [each["id"] for each in _json(run("jobs", "list", "--json", *words))]

    assert listed("--state", "dead", "--queue", "payments", "--kind", jobs.TRIAL) == [dead]
    assert listed("--order", 7) == listed("--older-than", "90s") == []
    assert listed("--limit", 1) == [ready]
    assert listed("--starting-after", ready) == [dead]
    shop.let_pass(minutes=3)
    assert listed("--older-than", "90s") == listed("--older-than", "2m") == [ready, dead]
    assert listed("--older-than", "1h") == []


def test_an_empty_list_is_a_head_without_a_body(run: Run) -> None:
    assert len(run("jobs", "list").stdout.splitlines()) == 1


@pytest.mark.parametrize("words", [("--older-than", "soon"), ("--state", "gone"), ("--queue", "x")])
def test_a_filter_that_makes_no_sense_is_refused(run: Run, words: tuple[str, str]) -> None:
    assert run("jobs", "list", *words).exit_code == 2


def test_a_job_is_shown_with_its_tries(run: Run) -> None:
    job_id = jobs.stage()
    shop.run_jobs(jobs.TRIAL)

    shown = run("jobs", "show", job_id).stdout
    assert f"id            {job_id}\n" in shown
    assert "skipped: trial" in shown
    as_json = _json(run("jobs", "show", job_id, "--json"))
    assert as_json["job"]["state"] == "done"
    assert [each["outcome"] for each in as_json["attempts"]] == ["skipped: trial"]


@pytest.mark.parametrize(("act", "state"), [("retry", "ready"), ("cancel", "cancelled")])
def test_several_jobs_are_retried_or_cancelled_and_the_journal_knows(
    run: Run, act: str, state: str
) -> None:
    job_ids = [_dead("one"), _dead("two")]
    done = run("jobs", act, *job_ids, "--why", "mended")

    assert done.exit_code == 0
    assert done.stdout == "".join(f"job {job_id} is {state} now.\n" for job_id in job_ids)
    journal = "SELECT to_state, who, why FROM journal WHERE subject = 'job'"
    assert shop.sql(journal) == [(state, "cli", "mended")] * 2


def test_a_job_that_refuses_does_not_keep_the_others_from_it(run: Run) -> None:
    ready, dead = jobs.stage("one"), _dead("two")
    done = run("jobs", "retry", 10**9, ready, dead, "--why", "mended")

    assert done.exit_code == 1
    assert f"job {dead} is ready now." in done.stdout
    assert "job 1000000000: there is none" in done.stderr
    assert f"job {ready}: it is ready" in done.stderr
    assert "2 of 3 jobs are as they were" in done.stderr


def test_a_reason_is_asked_for(run: Run) -> None:
    assert run("jobs", "cancel", _dead()).exit_code == 2
    assert run("jobs", "show", 10**9).exit_code == 1


def test_figures_are_shown_for_every_queue(run: Run) -> None:
    _dead()
    figures = _json(run("jobs", "stats", "--json"))
    assert {each["queue"]: each["dead"] for each in figures} == {
        "mail": 0,
        "payments": 1,
        "sweeps": 0,
        "webhooks": 0,
    }
    head, *lines = run("jobs", "stats").stdout.splitlines()
    assert head.split() == ["queue", "ready", "due", "leased", "dead", "oldest_due_seconds"]
    assert lines[1].split()[:5] == ["payments", "0", "0", "0", "1"]


def test_work_drains_the_ledger(run: Run) -> None:
    job_id = jobs.stage()
    assert run("jobs", "work").stdout == "1 jobs were tried.\n"
    assert jobs.state(job_id) == "done"


def test_a_member_of_staff_is_added(run: Run) -> None:
    words = ("users", "create-staff", "Ann@example.com", "--role", "viewer")
    assert run(*words, "--password", shop.PASSWORD).stdout == "Ann@example.com is a viewer now.\n"
    assert shop.sql("SELECT email, role FROM user_account") == [("ann@example.com", "viewer")]


def test_an_audit_that_finds_nothing_says_nothing(run: Run) -> None:
    shop.make_item()
    audited = run("audit")
    assert (audited.exit_code, audited.stdout) == (0, "")


def test_an_audit_that_finds_something_prints_it_and_fails(run: Run) -> None:
    item_id = shop.make_item()
    shop.sql("UPDATE stock_item SET stock = stock + 1 RETURNING id")

    audited = run("audit")
    assert audited.exit_code == 1
    head, line = audited.stdout.splitlines()
    assert head.split()[:3] == ["promise", "subject", "subject_id"]
    assert line.split()[:3] == ["stock.movements_add_up", "stock_item", str(item_id)]
    assert shop.sql("SELECT subject_id FROM finding") == [(item_id,)]

    as_json = run("audit", "--json")
    assert as_json.exit_code == 1
    assert [each["promise"] for each in json.loads(as_json.stdout)] == ["stock.movements_add_up"]
    shop.sql("UPDATE stock_item SET stock = stock - 1 RETURNING id")
