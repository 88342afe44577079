"""A process dies, or freezes and wakes, at every point of every job and writing endpoint.

After each, whoever is left goes on: the client repeats its request with its key, leases end,
workers do what is due, the provider delivers again. The story must then end as if nothing had
happened. Each guard that makes this so is taken away once, to see that the sweep would tell.
"""

import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update
from sqlalchemy.orm import Session

import settings
import tasks
from models import job as ledger
from models.base import db
from models.intents import PaymentRequest, PaymentSnapshot
from models.job import Job, JobAttempt, Lease
from models.kinds import KINDS
from models.session import now
from providers.stripe import Stripe
from tests.faults.crash_points import Child, Point, Stop, World, die, freeze
from tests.faults.endings import faults
from tests.faults.scenarios import ENDPOINTS, EXEMPT, JOBS, Scenario
from tests.faults.stories import Story, empty_the_shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess

_SCENARIOS = {**JOBS, **ENDPOINTS}
Sample = Callable[[Sequence[Point], int, int], list[Point]]


class Sweep:
    """Does a scenario again and again, and stops its process at one point after another."""

    def __init__(self, story: Story, world: World) -> None:
        self._beginning, self._world = story, world

    def points(self, name: str) -> Sequence[Point]:
        """Where the process can be stopped."""
        with self._child(_SCENARIOS[name], self._new_story()) as child:
            assert child.wait() == "survived"
            return child.trail()

    def broken(self, name: str, points: Sequence[Point], stop: Stop) -> Iterator[str]:
        """What is wrong after a stop at each of these points."""
        for point in points:
            if wrong := self._wrong_after(_SCENARIOS[name], point, stop):
                yield f"{stop.__name__} at {point}: {'; '.join(wrong)}"

    def _new_story(self) -> Story:
        return replace(self._beginning, taken_events=set())

    def _child(self, scenario: Scenario, story: Story, at: int = 0, stop: Stop = die) -> Child:
        scenario.before(story)
        return Child(lambda: scenario.act(story), self._world, at=at, stop=stop)

    def _wrong_after(self, scenario: Scenario, point: Point, stop: Stop) -> list[str]:
        story = self._new_story()
        with self._child(scenario, story, point.number, stop) as child:
            how = [child.wait()]
            try:
                scenario.go_on(story)
                if how == ["frozen"]:
                    how.append(child.thaw())
                    story.settle()
            except Exception as error:  # noqa: BLE001 - whatever recovery dies of is a finding
                return [f"recovery failed: {error!r}"]
            trail = child.trail()[: point.number]
        doubles = _may_double_mail(trail, is_asleep=stop is freeze)
        wrong = faults(story, scenario.ending, may_double_mail=doubles)
        return wrong if how in (["killed"], ["frozen", "survived"]) else [*how, *wrong]


def _may_double_mail(trail: Sequence[Point], *, is_asleep: bool) -> bool:
    """Whether a mail was taken, or for a sleeper on its way, and this not yet recorded."""
    on_its_way = (
        "before telling the mail server" if is_asleep else "having told the mail server: From"
    )
    sent = [point.number for point in trail if point.what.startswith(on_its_way)]
    return bool(sent) and not any(p.what == "before COMMIT" for p in trail[sent[0] : -1])


@pytest.fixture
def sweep(
    app: Flask,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sweep]:
    with MailServer(monkeypatch) as mail:
        chosen = settings.current()
        urls = {
            "provider": chosen.stripe_api_base,
            "mail server": chosen.smtp_url,
            "broker": chosen.redis_url,
        }
        peers = {urlsplit(url).port or 0: name for name, url in urls.items()}
        story = Story(client=client, provider=stripe_sandbox, mail=mail)
        yield Sweep(story, World(apps=[app, tasks.database_app], peers=peers))
        empty_the_shop()  # each story has been judged, and some were to end badly


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> Sample:
    """All points with `--faults`; else a few at random, most of them edges."""
    if request.config.getoption("--faults", default=False):
        return lambda points, _edges, _others: list(points)
    return _sample


def _sample(points: Sequence[Point], edges: int, others: int) -> list[Point]:
    chosen = _some([point for point in points if point.is_edge], edges)
    return sorted(chosen + _some([point for point in points if not point.is_edge], others))


def _some(points: Sequence[Point], most: int) -> list[Point]:
    return random.sample(points, min(most, len(points)))


def test_every_kind_of_job_has_a_scenario() -> None:
    assert {name.partition(",")[0] for name in JOBS} == set(KINDS)


def test_every_writing_endpoint_has_a_scenario_or_a_reason_to_have_none(app: Flask) -> None:
    writing = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    assert {*ENDPOINTS, *EXEMPT} == writing


def test_the_ledgers_own_statements_are_points_too(sweep: Sweep) -> None:
    seen = [point.what.partition(" SET ")[0] for point in sweep.points("payments.create_intent")]
    assert seen[0] == "before UPDATE job"
    assert "before WITH given_back AS ( UPDATE job" in seen


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", _SCENARIOS)
def test_a_death_or_a_sleep_anywhere_loses_and_doubles_nothing(
    name: str, sweep: Sweep, sample: Sample
) -> None:
    points = sweep.points(name)
    assert list(sweep.broken(name, sample(points, 1, 1), die)) == []
    assert list(sweep.broken(name, sample(_outside_transactions(points), 1, 0), freeze)) == []


def _outside_transactions(points: Sequence[Point]) -> list[Point]:
    """Where a sleeper holds no row: PostgreSQL itself ends those who sleep in a transaction."""
    return [point for point in points if not point.is_in_transaction]


def test_without_the_fence_a_sleeper_ends_its_job_a_second_time(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_anyway(
        session: Session, lease: Lease, state: str, outcome: str, error: str | None = None
    ) -> None:
        ending = {"state": state, "lease_token": None, "lease_until": None, "finished_at": now()}
        session.execute(update(Job).where(Job.id == lease.job_id).values(ending))
        session.add(
            JobAttempt(
                job_id=lease.job_id,
                attempt=lease.attempt,
                lease_token=lease.token,
                outcome=outcome,
                error=error,
            )
        )

    monkeypatch.setattr(ledger, "end", end_anyway)
    points = _outside_transactions(sweep.points("payments.create_intent"))

    assert "jobs that ended twice" in next(sweep.broken("payments.create_intent", points, freeze))


def test_a_job_staged_after_its_fact_is_lost_when_the_process_dies_between_them(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ledger.stage

    def stage_later(session: Session, kind: str, **how: Any) -> None:
        def stage_now(_session: Session) -> None:
            with Session(db.engine) as own, own.begin():
                stage(own, kind, **how)

        event.listen(session, "after_commit", stage_now, once=True)

    monkeypatch.setattr(ledger, "stage", stage_later)
    points = [point for point in sweep.points("fulfilment.cancel") if point.is_edge]

    assert "orders: [('pending'" in next(sweep.broken("fulfilment.cancel", points, die))


def test_without_a_key_of_its_own_a_payment_is_opened_twice(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Stripe.create

    def create_with_a_new_key(stripe: Stripe, request: PaymentRequest) -> PaymentSnapshot:
        return create(stripe, replace(request, key=secrets.token_hex(8)))

    monkeypatch.setattr(Stripe, "create", create_with_a_new_key)
    points = [point for point in sweep.points("payments.create_intent") if "provider" in point.what]

    assert "intents: " in next(sweep.broken("payments.create_intent", points, die))
