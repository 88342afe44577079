"""The commands for money that goes back, is captured or is disputed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests import shop
from tests.telling import sent_payment, tell

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *words: app.test_cli_runner().invoke(args=[str(word) for word in words])


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment that has brought 39.98 EUR for two of ten T-shirts."""
    shop.make_item(units=10)
    payment_id = sent_payment(client)
    tell(payment_id, "succeeded")
    return payment_id


def printed(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return result.stderr


def amounts() -> list[int]:
    return [amount for (amount,) in shop.sql("SELECT amount_minor FROM refund ORDER BY id")]


def the_refund() -> int:
    ((refund_id,),) = shop.sql("SELECT id FROM refund")
    return int(refund_id)


def test_all_of_a_payment_goes_back_once(run: Run, payment_id: int) -> None:
    first, again = (printed(run("refunds", "create", payment_id)) for _ in range(2))
    assert first == again == f"refund {the_refund()} of 39.98 EUR is requested now.\n"
    assert shop.sql("SELECT requested_by FROM refund") == [("cli",)]
    assert shop.sql("SELECT state FROM job WHERE kind = 'refunds.create'") == [("ready",)]


def test_a_part_goes_back_with_all_that_can_be_said(run: Run, payment_id: int) -> None:
    words = ["--amount", "12.50", "--reason", "duplicate", "--restock", "--note", "a slip"]
    printed(run("refunds", "create", payment_id, *words))
    ((item_id,),) = shop.sql("SELECT id FROM stock_item")
    assert shop.sql("SELECT amount_minor, reason, restock FROM refund") == [
        (1250, "duplicate", {str(item_id): 2})
    ]
    journal = "SELECT who, why FROM journal WHERE what = 'refund.requested'"
    assert shop.sql(journal) == [("cli", "a slip")]


def test_an_amount_goes_back_at_every_run_unless_a_key_says_otherwise(
    run: Run, payment_id: int
) -> None:
    for _ in range(2):
        printed(run("refunds", "create", payment_id, "--amount", "1"))
    assert amounts() == [100, 100]
    keyed = ["refunds", "create", payment_id, "--amount", "2", "--key", "ticket-7"]
    first, again = (printed(run(*keyed)) for _ in range(2))
    assert first.endswith("of 2.00 EUR is requested now.\n")
    assert again.endswith("was asked for before and is requested now.\n")
    assert amounts() == [100, 100, 200]

    other = run("refunds", "create", payment_id, "--amount", "3", "--key", "ticket-7")
    assert "belongs to another request" in refused(other)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--amount", "39.99"], "39.98 EUR are left"),
        (["--amount", "1.234"], "more than the 2 decimals"),
        (["--amount", "0"], "above zero"),
        (["--amount", "much"], "/amount"),
        (["--note", ""], "/note"),
    ],
)
def test_what_cannot_be_given_back_is_refused(
    run: Run, payment_id: int, words: list[str], told: str
) -> None:
    assert told in refused(run("refunds", "create", payment_id, *words))
    assert amounts() == []


def test_a_payment_that_is_not_there_is_said_to_be_missing(run: Run) -> None:
    assert "Not found" in refused(run("refunds", "create", 7))
    assert "there is none" in refused(run("refunds", "record", 7, "re_1"))
    assert "there is none" in refused(run("payments", "capture", 7))


def test_a_refund_made_by_hand_is_asked_about(run: Run, payment_id: int) -> None:
    told = printed(run("refunds", "record", payment_id, "re_1"))
    ((job_id,),) = shop.sql("SELECT id FROM job WHERE kind = 'refunds.record'")
    assert told == f"job {job_id} asks the provider about re_1.\n"
    journal = "SELECT who, why FROM journal WHERE what = 'payment.refund_reported'"
    assert shop.sql(journal) == [("cli", "refund re_1 was made by hand")]


def test_a_refund_that_is_known_needs_no_asking(run: Run, payment_id: int) -> None:
    run("refunds", "create", payment_id)
    shop.sql("UPDATE refund SET provider_refund_id = 're_1' RETURNING id")
    told = printed(run("refunds", "record", payment_id, "re_1"))
    assert told == f"re_1 is refund {the_refund()}, requested.\n"
    assert shop.sql("SELECT id FROM job WHERE kind = 'refunds.record'") == []


def test_refunds_are_listed_filtered_and_paged(run: Run, payment_id: int) -> None:
    for amount in ("1", "2"):
        run("refunds", "create", payment_id, "--amount", amount)
    shop.sql("UPDATE refund SET state = 'failed' WHERE amount_minor = 100 RETURNING id")

    def listed(*words: object) -> list[str]:
        return [each["amount"] for each in json.loads(printed(run("refunds", "list", *words)))]

    assert listed("--json") == ["2.00", "1.00"]
    assert listed("--json", "--state", "failed", "--origin", "staff") == ["1.00"]
    assert listed("--json", "--origin", "provider") == []
    assert listed("--json", "--limit", 1) == ["2.00"]
    ((newest,),) = shop.sql("SELECT max(id) FROM refund")
    assert listed("--json", "--starting-after", newest) == ["1.00"]

    head, *lines = printed(run("refunds", "list")).splitlines()
    assert head.split()[:5] == ["refund_id", "status", "origin", "order_id", "payment_id"]
    assert [line.split()[1] for line in lines] == ["requested", "failed"]
    shop.sql("UPDATE refund SET state = 'requested' RETURNING id")


def test_orders_are_marked_as_refunded_each_by_itself(
    run: Run, client: FlaskClient, payment_id: int
) -> None:
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    unpaid = shop.place(client)["id"]
    done = run("refunds", "mark-refunded", unpaid, order_id, 10**9)
    assert f"order {order_id}: refund {the_refund()} is requested now." in done.stdout
    told = refused(done)
    assert f"order {unpaid}: There is no money to give back." in told
    assert "order 1000000000: Not found." in told
    assert "2 of 3 orders are as they were" in told
    printed(run("refunds", "mark-refunded", order_id))
    assert amounts() == [3998]


def test_reserved_money_is_captured(run: Run, client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    assert "it is sent" in refused(run("payments", "capture", payment_id))
    tell(payment_id, "authorised")
    told = printed(run("payments", "capture", payment_id))
    assert told == f"payment {payment_id} is being captured.\n"
    assert shop.sql("SELECT kind FROM job WHERE dedupe_key LIKE 'capture:%'") == [
        ("payments.capture",)
    ]


def _dispute(payment_id: int, number: int, state: str, due_by: Any) -> None:
    shop.sql(
        "INSERT INTO dispute (payment_id, order_id, provider, provider_dispute_id, state, status,"
        " reason, amount_minor, currency, is_refundable, due_by, opened_at, created_at)"
        " SELECT id, order_id, provider, :name, :state, 'any', 'fraudulent', 100, currency, false,"
        " :due_by, clock_timestamp(), clock_timestamp() FROM payment WHERE id = :payment_id"
        " RETURNING id",
        payment_id=payment_id,
        name=f"dp_{number}",
        state=state,
        due_by=due_by,
    )


def test_disputes_are_listed_by_how_urgent_they_are(run: Run, payment_id: int) -> None:
    kinds = [
        ("won", "2026-12-01Z"),
        ("open", None),
        ("open", "2026-12-24Z"),
        ("lost", None),
        ("open", "2026-12-01Z"),
    ]
    for number, (state, due_by) in enumerate(kinds):
        _dispute(payment_id, number, state, due_by)

    def listed(*words: object) -> list[str]:
        found = json.loads(printed(run("disputes", "list", "--json", *words)))
        return [each["provider_dispute_id"] for each in found]

    expected = ["dp_4", "dp_2", "dp_1", "dp_3", "dp_0"]
    assert listed() == expected
    assert listed("--state", "open") == expected[:3]
    ids = dict(shop.sql("SELECT provider_dispute_id, id FROM dispute"))
    for place, name in enumerate(expected):
        assert listed("--starting-after", ids[name]) == expected[place + 1 :]
    head, first, *_ = printed(run("disputes", "list", "--limit", 1)).splitlines()
    assert head.split()[:3] == ["id", "state", "due_by"]
    assert first.split()[1:3] == ["open", "2026-12-01"]
    shop.sql("DELETE FROM dispute RETURNING id")
