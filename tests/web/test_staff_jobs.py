"""The staff API: the job ledger and the auditor's findings, for staff alone."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import jobs, shop
from tests.web.tiny import problem

READS = ["/staff/jobs/", "/staff/jobs/stats/", "/staff/jobs/{job}/", "/staff/findings/"]
ACTS = ["/staff/jobs/{job}/retry/", "/staff/jobs/{job}/cancel/"]
WHY = {"why": "The mail server is back."}


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.declare(monkeypatch)


def _dead(key: str = "trial") -> int:
    job_id = jobs.stage(key)
    shop.sql("UPDATE job SET state = 'dead', last_error = 'broken' RETURNING id")
    return job_id


def _ids(answer: TestResponse) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in shop.body_of(answer)["data"]]


# --- who may ---


@pytest.mark.parametrize("path", [*READS, *ACTS])
def test_for_strangers_and_customers_none_of_it_exists(
    client: FlaskClient, sign_in: Callable[[str], FlaskClient], path: str
) -> None:
    address = path.format(job=_dead())
    options: dict[str, Any] = {"json": WHY} if path in ACTS else {}
    for caller in (client, sign_in("customer")):
        call = caller.post if path in ACTS else caller.get
        assert problem(call(address, **options)) == (404, "not_found")
    assert shop.sql("SELECT state FROM job") == [("dead",)]


def test_strangers_are_turned_away_before_their_body_is_read(client: FlaskClient) -> None:
    answer = client.post("/staff/jobs/1/retry/", data="{", content_type="text/plain")
    assert problem(answer) == (404, "not_found")


def test_a_viewer_looks_and_does_not_act(sign_in: Callable[[str], FlaskClient]) -> None:
    viewer, job_id = sign_in("viewer"), _dead()
    for path in READS:
        assert viewer.get(path.format(job=job_id)).status_code == 200
    for path in ACTS:
        answer = viewer.post(path.format(job=job_id), json=WHY)
        assert problem(answer) == (403, "role_too_low")
    assert jobs.state(job_id) == "dead"


@pytest.mark.parametrize("role", ["clerk", "manager"])
@pytest.mark.parametrize(("act", "state"), [("retry", "ready"), ("cancel", "cancelled")])
def test_clerks_and_managers_act_and_the_journal_knows(
    sign_in: Callable[[str], FlaskClient], role: str, act: str, state: str
) -> None:
    browser, job_id = sign_in(role), _dead()
    answer = browser.post(f"/staff/jobs/{job_id}/{act}/", json=WHY)

    assert answer.status_code == 200, answer.text
    assert shop.body_of(answer)["state"] == state == jobs.state(job_id)
    ((user_id,),) = shop.sql("SELECT id FROM user_account")
    assert shop.sql("SELECT to_state, who, why FROM journal WHERE subject = 'job'") == [
        (state, f"staff:{user_id}", WHY["why"])
    ]


def test_another_sites_page_cannot_act_with_the_cookie(
    sign_in: Callable[[str], FlaskClient],
) -> None:
    job_id = _dead()
    answer = sign_in("manager").post(
        f"/staff/jobs/{job_id}/retry/", json=WHY, headers={"Origin": "https://evil.example"}
    )
    assert problem(answer) == (403, "unauthorized_origin")
    assert jobs.state(job_id) == "dead"


# --- what they see ---


def test_jobs_are_listed_by_filters_and_pages(sign_in: Callable[[str], FlaskClient]) -> None:
    viewer, dead = sign_in("viewer"), _dead()
    others = [jobs.stage(f"trial:{number}") for number in range(2)]

    first = viewer.get("/staff/jobs/?limit=2")
    assert _ids(first) == others[::-1]
    assert shop.body_of(first)["has_more"] is True
    last = viewer.get(f"/staff/jobs/?limit=2&starting_after={others[0]}")
    assert _ids(last) == [dead]
    assert shop.body_of(last)["has_more"] is False

    assert _ids(viewer.get("/staff/jobs/?state=dead&queue=payments&kind=payments.trial")) == [dead]
    assert _ids(viewer.get("/staff/jobs/?order_id=7")) == []
    assert _ids(viewer.get("/staff/jobs/?older_than=60")) == []


NONSENSE = [
    "limit=0",
    "limit=101",
    "limit=x",
    "starting_after=0",
    f"starting_after={2**63}",
    "state=gone",
    "kind=%00",
    "queue=mails",
    f"order_id={2**63}",
    "older_than=-1",
    "older_than=99999999999",
]


def test_a_query_that_makes_no_sense_is_refused(sign_in: Callable[[str], FlaskClient]) -> None:
    viewer = sign_in("viewer")
    for query in NONSENSE:
        assert problem(viewer.get(f"/staff/jobs/?{query}")) == (400, "invalid_parameter"), query


def test_a_job_is_shown_with_its_tries_and_without_its_lease_token(
    sign_in: Callable[[str], FlaskClient],
) -> None:
    viewer, job_id = sign_in("viewer"), jobs.stage()
    jobs.claimed(job_id)
    shop.sql(
        "INSERT INTO job_attempt (job_id, attempt, lease_token, outcome, error, ended_at)"
        " SELECT id, 7, lease_token, 'retry', 'broken', clock_timestamp() FROM job RETURNING id"
    )

    shown = shop.body_of(viewer.get(f"/staff/jobs/{job_id}/"))
    assert (shown["job"]["state"], shown["job"]["lease_owner"]) == ("leased", "worker")
    assert [(each["attempt"], each["error"]) for each in shown["attempts"]] == [(7, "broken")]
    ((token,),) = shop.sql("SELECT lease_token FROM job")
    assert str(token) not in str(shown)


def test_figures_are_there_for_every_queue(sign_in: Callable[[str], FlaskClient]) -> None:
    _dead()
    answer = sign_in("viewer").get("/staff/jobs/stats/")
    figures = {each["queue"]: each for each in shop.body_of(answer)["data"]}
    assert figures.keys() == {"payments", "webhooks", "mail", "sweeps"}
    assert (figures["payments"]["dead"], figures["mail"]["dead"]) == (1, 0)


def test_open_findings_are_listed(sign_in: Callable[[str], FlaskClient]) -> None:
    for number, closed in ((1, "NULL"), (2, "clock_timestamp()"), (3, "NULL")):
        shop.sql(
            "INSERT INTO finding (promise, invariant, subject, subject_id, detail, repair,"
            " first_seen_at, last_seen_at, closed_at) VALUES ('order.is_whole', 1, 'orders',"
            f" {number}, 'd', 'r', clock_timestamp(), clock_timestamp(), {closed}) RETURNING id"
        )
    viewer = sign_in("viewer")

    page = shop.body_of(viewer.get("/staff/findings/?limit=1"))
    assert ([each["subject_id"] for each in page["data"]], page["has_more"]) == ([3], True)
    after = page["data"][0]["id"]
    page = shop.body_of(viewer.get(f"/staff/findings/?limit=1&starting_after={after}"))
    assert ([each["subject_id"] for each in page["data"]], page["has_more"]) == ([1], False)


def test_a_finding_names_what_a_provider_has(sign_in: Callable[[str], FlaskClient]) -> None:
    for number, there in ((1, "NULL, NULL"), (2, "'stripe', 'pi_1'")):
        shop.sql(
            "INSERT INTO finding (promise, invariant, subject, subject_id, detail, repair,"
            " provider, reference, first_seen_at, last_seen_at) VALUES ('payment.is_listed', 6,"
            f" 'payment', {number}, 'd', 'r', {there}, clock_timestamp(), clock_timestamp())"
            " RETURNING id"
        )
    found = shop.body_of(sign_in("viewer").get("/staff/findings/"))["data"]
    named = [(each["provider"], each["reference"]) for each in found]
    assert named == [("stripe", "pi_1"), (None, None)]


# --- what is refused ---


def test_an_act_must_say_why(sign_in: Callable[[str], FlaskClient]) -> None:
    clerk, job_id = sign_in("clerk"), _dead()
    for body in ({}, {"why": ""}, {"why": "  "}, {"why": "x" * 501}):
        answer = clerk.post(f"/staff/jobs/{job_id}/retry/", json=body)
        assert answer.status_code == 400, body
    assert jobs.state(job_id) == "dead"


def test_what_a_job_does_not_allow_is_a_conflict(sign_in: Callable[[str], FlaskClient]) -> None:
    clerk, job_id = sign_in("clerk"), jobs.stage()
    retried = clerk.post(f"/staff/jobs/{job_id}/retry/", json=WHY)
    assert problem(retried) == (409, "job_not_retryable")
    jobs.claimed(job_id)
    cancelled = clerk.post(f"/staff/jobs/{job_id}/cancel/", json=WHY)
    assert problem(cancelled) == (409, "job_not_cancellable")


def test_a_job_that_is_not_there_is_not_found(sign_in: Callable[[str], FlaskClient]) -> None:
    clerk = sign_in("clerk")
    assert problem(clerk.get("/staff/jobs/1/")) == (404, "not_found")
    for path in ACTS:
        assert problem(clerk.post(path.format(job=1), json=WHY)) == (404, "not_found")
