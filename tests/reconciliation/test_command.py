"""`flask reconcile`: the same comparison by hand, and its table."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tasks.base import drain
from tests import shop
from tests.reconciliation.world import (
    UNKNOWN,
    Paying,
    findings,
    later,
    paid_stray,
    stray,
    the_order,
)

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *words: app.test_cli_runner().invoke(args=["reconcile", *words])


def _rows(result: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_what_agrees_is_no_line(run: Run, paid: Paying) -> None:
    compared = run("payments")
    assert (compared.exit_code, compared.stdout) == (0, "")
    assert compared.stderr == "1 payments of stripe were compared.\n"


def test_what_was_mended_is_shown_and_is_no_failure(run: Run, paying: Paying) -> None:
    paying.pay()
    compared = run("payments")
    assert compared.exit_code == 0
    head, line = compared.stdout.splitlines()
    columns = ["what", "provider_id", "our_id", "order_id", "amount", "found", "done"]
    assert head.split() == columns
    starts = [head.index(column) for column in columns]
    cells = [
        line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    assert cells == [
        "provider.state_agrees",
        paying.intent,
        str(paying.id),
        str(paying.order["id"]),
        "39.98 EUR",
        "succeeded there, open here",
        "payments.refresh is staged",
    ]
    drain()
    assert the_order() == ("paid", False)


def test_what_is_left_fails_and_says_what_to_do(run: Run, paying: Paying) -> None:
    unknown = paid_stray(paying.sandbox, UNKNOWN)
    compared = run("payments", "--json")
    assert compared.exit_code == 1
    assert _rows(compared) == [
        {
            "what": "provider.payment_is_ours",
            "provider_id": unknown,
            "our_id": None,
            "order_id": None,
            "amount": "39.98 EUR",
            "found": "succeeded, and not known here: it holds 39.98 EUR",
            "done": "Cancel or refund it at the provider: no payment of ours stands behind it.",
            "is_mended": False,
        }
    ]
    assert [promise for promise, *_ in findings()] == ["provider.payment_is_ours"]

    paying.sandbox.client().v1.refunds.create({"payment_intent": unknown})
    assert run("payments").exit_code == 0
    assert findings() == []


def test_a_dry_run_says_what_would_be_and_changes_nothing(run: Run, paying: Paying) -> None:
    later(minutes=1)
    paid_stray(paying.sandbox, UNKNOWN)
    stray(paying.sandbox, UNKNOWN + 1)
    paying.pay()
    before = shop.rows()
    compared = run("payments", "--dry-run", "--json")
    assert compared.exit_code == 1
    assert {row["what"]: row["done"] for row in _rows(compared) if row["is_mended"]} == {
        "provider.state_agrees": "it would be looked at",
        "provider.payment_is_ours": "it would be closed",
    }
    assert shop.rows() == before


def test_refunds_and_disputes_are_compared_too(run: Run, paid: Paying) -> None:
    paid.give_back(amount=1000)
    (row,) = _rows(run("refunds", "--json"))
    assert (row["what"], row["amount"]) == ("provider.refund_is_known", "10.00 EUR")
    ((refund_id,),) = shop.sql("SELECT id FROM refund")
    assert row["done"] == f"it is refund {refund_id}, succeeded"

    paid.sandbox.control(f"charges/{paid.charge()}/dispute")
    (row,) = _rows(run("disputes", "--json"))
    assert (row["what"], row["done"]) == ("provider.dispute_agrees", "disputes.refresh is staged")


@pytest.mark.parametrize(
    ("since", "is_found"),
    [(None, False), ("7d", False), ("200h", False), ("11d", True), ("2020-01-01", True)],
)
def test_it_goes_back_as_far_as_it_is_told(
    run: Run, paying: Paying, since: str | None, *, is_found: bool
) -> None:
    later(days=10)
    paying.pay()
    words = [] if since is None else ["--since", since]
    assert bool(_rows(run("payments", "--json", *words))) == is_found


@pytest.mark.parametrize("words", [(), ("orders",), ("payments", "--since", "soon")])
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_provider_that_cannot_be_asked_is_no_clean_comparison(run: Run, paying: Paying) -> None:
    paying.sandbox.fault("payment_intents.list", "fail_before", status=503)
    compared = run("payments")
    assert compared.exit_code == 2
    assert "stripe could not be asked" in compared.stderr


def test_every_step_is_taken(run: Run, paying: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    later(minutes=1)
    paid_stray(paying.sandbox, UNKNOWN)
    paying.pay()
    monkeypatch.setattr("providers.stripe._PAGE_SIZE", 1)
    monkeypatch.setattr("tasks.comparing._SHARE_FOR_READING", -1)
    assert len(_rows(run("payments", "--json"))) == 2


def test_on_a_terminal_it_says_how_far_it_has_come(
    run: Run, paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.cli.reconcile._is_terminal", lambda: True)
    assert "1 payments of stripe, back to 20" in run("payments").stderr
    assert paying
