"""The comparison goes on where it was cut short, dies, or meets another."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

import settings
from models.reconciliation import healing, span
from models.reconciliation.span import Span
from providers import registry
from providers.base import OutcomeUnknown, Page
from tasks import comparing
from tasks.base import drain
from tests import shop
from tests.reconciliation.world import (
    UNKNOWN,
    Paying,
    findings,
    given_back,
    later,
    paid_stray,
    reconcile,
    refunds,
    staged,
    step,
    the_order,
)
from tests.sandbox.process import StripeProcess


@pytest.fixture
def three_paid(
    client: FlaskClient, sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> list[Paying]:
    """Paid orders that we were not told of, one on a page of the list, a minute apart."""
    monkeypatch.setattr("providers.stripe._PAGE_SIZE", 1)
    shop.make_item()
    paid = []
    for _ in range(3):
        paid.append(Paying(client, sandbox).pay())
        later(minutes=1)
    return paid


def _known_as_paid() -> list[int]:
    return [
        row[0] for row in shop.sql("SELECT id FROM payment WHERE state = 'succeeded' ORDER BY id")
    ]


def _rest() -> list[tuple[bool, bool]]:
    """Whether a run is under way, and whether one has come to its end."""
    return shop.sql("SELECT began_at IS NOT NULL, complete_at IS NOT NULL FROM reconciliation")


def test_a_step_without_time_reads_one_page_and_stages_the_next(
    three_paid: list[Paying], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_SHARE_FOR_READING", -1)
    ids = [each.id for each in three_paid]
    for expected in (ids[2:], ids[1:], ids):
        shop.sql("DELETE FROM job WHERE kind LIKE 'reconcile.%' AND state = 'ready' RETURNING id")
        assert step("payments") == "done"
        shop.run_jobs("payments.refresh")
        assert _known_as_paid() == expected
        assert _rest() == [(True, False)]
    drain()
    assert _rest() == [(False, True)]


def test_a_crowd_of_differences_is_mended_in_several_steps(
    three_paid: list[Paying], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_MOST_SUSPECTS", 1)
    reconcile()
    assert _known_as_paid() == [each.id for each in three_paid]
    assert staged("reconcile.payments") > 1


def test_a_provider_that_fails_after_a_page_cuts_the_step_short(
    three_paid: list[Paying], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = registry.get("stripe")
    whole = adapter.list_since

    def fail_after_the_first(*span: datetime) -> Iterator[Page[Any]]:
        yield next(whole(*span))
        raise OutcomeUnknown("the line is dead")

    with monkeypatch.context() as failing:
        failing.setattr(adapter, "list_since", fail_after_the_first)
        assert step("payments") == "done"
    assert _rest() == [(True, False)]
    drain()
    assert _known_as_paid() == [each.id for each in three_paid]
    assert _rest() == [(False, True)]


def test_a_provider_that_is_down_is_asked_again(
    paying: Paying, caplog: pytest.LogCaptureFixture
) -> None:
    paying.pay().sandbox.fault("payment_intents.list", "fail_before", status=503)
    assert step("payments") == "ready"
    assert findings() == []
    shop.let_pass(minutes=1)
    drain()
    assert the_order() == ("paid", False)


def test_a_run_that_dies_in_the_middle_is_gone_on_with(
    three_paid: list[Paying], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as fatal:
        healed: list[object] = []

        def die_at_the_second(*arguments: Any) -> object:
            healed.append(arguments)
            if len(healed) == 2:
                raise MemoryError
            return healing.heal(*arguments)

        fatal.setattr("tasks.comparing.heal", die_at_the_second)
        assert step("payments") == "ready"
    assert _rest() == [(True, False)]
    assert staged("payments.refresh") == 1
    shop.let_pass(minutes=1)
    drain()
    assert _known_as_paid() == [each.id for each in three_paid]
    assert _rest() == [(False, True)]


@pytest.mark.usefixtures("app")
def test_a_step_that_another_worker_has_done_too_changes_nothing() -> None:
    def resume() -> Span:
        with shop.database() as session:
            return span.resume(session, "stripe", "payments")

    def pass_on(done: Span, reached: datetime | None) -> None:
        with shop.database() as session:
            span.pass_on(session, "stripe", "payments", done, reached)

    mine, theirs = resume(), resume()
    assert mine == theirs
    reached = mine.since + timedelta(hours=1)
    pass_on(mine, reached)
    pass_on(theirs, None)
    assert resume() == mine._replace(until=reached)
    pass_on(resume(), None)
    assert _rest() == [(False, True)]


def test_two_runs_at_once_do_everything_once(three_paid: list[Paying]) -> None:
    three_paid[0].give_back(amount=1000)
    stray = paid_stray(three_paid[0].sandbox, UNKNOWN)
    assert stray
    for compared in ("payments", "refunds"):
        assert shop.at_once(lambda _: step(compared), 2) == ["done", "done"]  # noqa: B023
        drain()
        drain()
    assert _known_as_paid() == [each.id for each in three_paid]
    assert [promise for promise, *_ in findings()] == ["provider.payment_is_ours"]
    reconcile("refunds")
    assert refunds() == [("succeeded", "provider", 1000)]
    assert given_back()[0] == (1000, 1000, False)


def test_a_run_goes_back_to_the_last_one_however_long_ago(paying: Paying) -> None:
    reconcile()
    later(minutes=5)
    paying.pay()
    later(days=9)
    shop.sql("UPDATE payment SET look_at = NULL RETURNING id")
    reconcile()
    assert shop.sql("SELECT state FROM payment") == [("succeeded",)]


def test_what_was_found_is_counted(paying: Paying) -> None:
    def counted(outcome: str) -> float:
        promise = "provider.state_agrees" if outcome == "healed" else "provider.payment_is_ours"
        labels = {"promise": promise, "outcome": outcome}
        return REGISTRY.get_sample_value("orders_reconcile_differences_total", labels) or 0

    before = counted("healed"), counted("left")
    paid_stray(paying.sandbox, UNKNOWN)
    paying.pay()
    reconcile()
    assert (counted("healed"), counted("left")) == (before[0] + 1, before[1] + 1)


def test_a_step_is_short_of_its_lease() -> None:
    lease = settings.current().job_lease_seconds
    reading = lease * comparing._SHARE_FOR_READING + comparing._PATIENCE_SECONDS
    assert max(reading, lease * comparing._SHARE_FOR_ASKING) < 25  # prefork ends a job then
