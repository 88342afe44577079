"""Faults 51 to 58: events come again, late, early, backwards, forged, or never."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.checks import catch
from tests.faults.harness import Harness
from tests.faults.load import Buyer, load
from tests.shop import event_about

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]
slow = pytest.mark.faults

_OK, _REFUSED = 2, 4  # hundreds
_TAKEN, _SKIPPED = '{"received":true}', '{"skipped":true}'
_LONELY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")
_WORKER = (
    "worker",
    "--pool",
    "threads",
    "--concurrency",
    "2",
    "--hostname",
    "another@%h",
    *_LONELY,
)
_PAYMENTS, _SWEEPS = ("--queues", "payments,webhooks"), ("--queues", "sweeps")


def _opened(faulty: Harness) -> Buyer:
    """Somebody who can pay."""
    buyer = faulty.buyer()
    buyer.place()
    buyer.start_payment()
    buyer.follow()
    return buyer


def _until_paid(faulty: Harness, buyers: list[Buyer]) -> None:
    ids = [buyer.order["id"] for buyer in buyers]
    paid = "SELECT count(*) FROM orders WHERE id = ANY(%s) AND state = 'paid'"
    faulty.until(lambda: faulty.sql(paid, ids) == [(len(ids),)], "all of them are paid")


def _success(faulty: Harness, buyer: Buyer) -> dict[str, Any]:
    """The event that tells of the buyer's money."""
    (event,) = [
        event
        for event in faulty.events_about(buyer.intent_id)
        if event["type"] == "payment_intent.succeeded"
    ]
    return event


def _stored(faulty: Harness, event: dict[str, Any]) -> list[tuple[Any, ...]]:
    return faulty.sql("SELECT state FROM webhook_event WHERE event_id = %s", event["id"])


def _until_applied(faulty: Harness, event: dict[str, Any]) -> None:
    """Its one row has come to its end, be it that the janitor was faster."""
    faulty.until(lambda: _stored(faulty, event) == [("applied",)], "the event is applied")


def test_51_an_event_that_comes_five_times_at_once_has_one_effect(faulty: Harness) -> None:
    buyer = _opened(faulty)
    with faulty.webhooks_held():
        buyer.pay()
        event = _success(faulty, buyer)
        answers = faulty.deliver(event, copies=5)

    assert {answer["status"] for answer in answers} == {200}
    bodies = Counter("".join(answer["body"].split()) for answer in answers)
    assert bodies == {_TAKEN: 1, _SKIPPED: 4}
    _until_paid(faulty, [buyer])
    _until_applied(faulty, event)


@slow
def test_51_56_control_without_the_unique_row_an_event_is_taken_each_time(
    faulty: Harness,
) -> None:
    buyer = _opened(faulty)
    rows = "SELECT count(*) FROM webhook_event WHERE event_id = %s"
    rest = "DELETE FROM webhook_event WHERE event_id = %s AND state = 'received'"
    faulty.sql("ALTER TABLE webhook_event DROP CONSTRAINT uq_webhook_event_provider_event_id")
    with faulty.webhooks_held():
        buyer.pay()
        event = _success(faulty, buyer)
        faulty.deliver(event, copies=5)
        seen = faulty.sql(rows, event["id"])
    faulty.until(lambda: ("applied",) in _stored(faulty, event), "one of them is applied")
    faulty.sql(rest, event["id"])
    faulty.sql(
        "ALTER TABLE webhook_event ADD CONSTRAINT uq_webhook_event_provider_event_id"
        " UNIQUE (provider, event_id)"
    )
    assert seen == [(5,)]


@slow
def test_51_every_event_of_a_crowd_comes_twice(faulty: Harness) -> None:
    with faulty.webhooks("double", copies=2), load(faulty):
        faulty.sql("SELECT pg_sleep(5)")


@slow
def test_52_events_that_come_backwards_end_where_the_provider_is(faulty: Harness) -> None:
    buyer = _opened(faulty)
    with faulty.webhooks("drop"):
        assert buyer.try_to_pay("pm_card_chargeDeclined").status_code == 402
        buyer.pay()
        _refund_there(faulty, buyer)
    for event in faulty.events_about(buyer.intent_id)[::-1]:
        assert [answer["status"] for answer in faulty.deliver(event)] == [200]

    _until_paid(faulty, [buyer])
    sums = "SELECT refunded_minor, needs_review FROM orders WHERE id = %s"
    faulty.until(
        lambda: faulty.sql(sums, buyer.order["id"]) == [(500, False)], "the refund is counted once"
    )


@slow
def test_52_a_refund_that_failed_is_not_denied_by_older_events(faulty: Harness) -> None:
    buyer, refund = _refund_that_failed(faulty)
    _tell_backwards(faulty, buyer)
    assert _state_of(faulty, refund) == "failed"


@slow
def test_52_control_who_takes_events_for_news_denies_a_failure(faulty: Harness) -> None:
    buyer, refund = _refund_that_failed(faulty)
    with (
        faulty.deaf("worker_payments"),
        faulty.another(
            *("worker_payments", "tests.faults.spendthrift", "age"), *_WORKER, *_PAYMENTS
        ),
    ):
        _tell_backwards(faulty, buyer)
        catch(faulty, f"booked but not given back: ('{refund['id']}'")
    faulty.sql(  # what has just ended may only be told late, and is left alone
        "UPDATE refund SET ended_at = ended_at - interval '1 h' WHERE provider_refund_id = %s",
        refund["id"],
    )
    words = ("flask", "--app", "web", "reconcile", "refunds", "--since", "1h")
    with faulty.another("web", *words) as reconciliation:
        assert reconciliation.wait(timeout=60) == 0
    faulty.until(lambda: _state_of(faulty, refund) == "failed", "a comparison has found it")


def _refund_that_failed(faulty: Harness) -> tuple[Buyer, dict[str, Any]]:
    """Somebody who was given money back at the provider, in vain, of which nobody has told us."""
    buyer = _opened(faulty)
    with faulty.webhooks("drop"):
        buyer.pay()
        refund = _refund_there(faulty, buyer)
        faulty.act(f"refunds/{refund['id']}", "fail")
    return buyer, refund


def _refund_there(faulty: Harness, buyer: Buyer) -> dict[str, Any]:
    """Have 5.00 given back in the dashboard; the refund."""
    (charge,) = [
        charge
        for charge in faulty.ledger["charges"]
        if charge["payment_intent"] == buyer.intent_id and charge["status"] == "succeeded"
    ]
    faulty.act(f"charges/{charge['id']}", "refund", amount=500)
    (refund,) = [
        each for each in faulty.ledger["refunds"] if each["payment_intent"] == buyer.intent_id
    ]
    return refund


def _tell_backwards(faulty: Harness, buyer: Buyer) -> None:
    """Deliver what was not told, the newest first, each when the one before has been applied."""
    busy = "SELECT 1 FROM job WHERE order_id = %s AND state IN ('ready', 'leased')"
    for event in faulty.events_about(buyer.intent_id)[::-1]:
        faulty.deliver(event)
        _until_ended(faulty, event)
        faulty.until(lambda: not faulty.sql(busy, buyer.order["id"]), "what it asks for is done")


def _until_ended(faulty: Harness, event: dict[str, Any]) -> None:
    ends = ([("applied",)], [("ignored",)])
    faulty.until(lambda: _stored(faulty, event) in ends, "something is made of the event")


def _state_of(faulty: Harness, refund: dict[str, Any]) -> str:
    ((state,),) = faulty.sql("SELECT state FROM refund WHERE provider_refund_id = %s", refund["id"])
    return str(state)


@slow
def test_52_events_of_a_crowd_come_in_any_order(faulty: Harness) -> None:
    with faulty.webhooks("reorder", seconds=2), load(faulty):
        faulty.sql("SELECT pg_sleep(5)")


@slow
def test_53_an_event_that_comes_before_the_answer_names_the_payment_without_a_second_call(
    faulty: Harness,
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    opened = "SELECT provider_key FROM payment WHERE id = %s AND state = 'open'"
    with _answer_that_trickles(faulty, "celery", "--app", "tasks"):
        buyer.start_payment()
        faulty.until(lambda: faulty.sql(opened, buyer.payment_id) != [], "the event was applied")
        faulty.worker_to_provider.haste.set()
        buyer.follow()
    buyer.pay()

    ((key,),) = faulty.sql(opened.partition(" AND ")[0], buyer.payment_id)
    assert len(faulty.calls("payment_intents.create", key)) == 1
    assert faulty.job("payments.create_intent", buyer.order["id"])["attempts"] == 1


@slow
def test_53_control_who_knows_names_alone_does_not_know_whose_event_it_is(
    faulty: Harness,
) -> None:
    buyer = faulty.buyer()
    buyer.place()
    parked = (
        "SELECT 1 FROM webhook_event WHERE state = 'parked' AND type = 'payment_intent.created'"
    )
    with _answer_that_trickles(faulty, "tests.faults.spendthrift", "likeness"):
        buyer.start_payment()
        faulty.until(lambda: faulty.sql(parked) != [], "the event is nobody's")
        unnamed = "SELECT provider_payment_id FROM payment WHERE id = %s"
        assert faulty.sql(unnamed, buyer.payment_id) == [(None,)]
        faulty.worker_to_provider.haste.set()
        buyer.follow()
    buyer.pay()


@contextmanager
def _answer_that_trickles(faulty: Harness, *program: str) -> Iterator[None]:
    """A worker of payments that has the patience for a provider whose answers take long."""
    patience = {
        "JOB_LEASE_SECONDS": "60",
        "JOB_DEADLINE_SECONDS": "50",
        "PROVIDER_DEADLINE_SECONDS": "40",
    }
    with (
        faulty.deaf("worker_payments"),
        faulty.another("worker_payments", *program, *_WORKER, *_PAYMENTS, **patience),
        faulty.worker_to_provider.trickle(0.1),  # an answer has thousands of bytes
    ):
        yield


def test_54_without_any_event_the_janitor_finds_all_that_is_paid(faulty: Harness) -> None:
    buyers = [_opened(faulty) for _ in range(4)]
    with faulty.webhooks("drop"):
        for buyer in buyers:
            buyer.pay()
    _until_paid(faulty, buyers)


@slow
def test_54_a_crowd_whose_every_event_is_lost_gets_what_it_paid_for(faulty: Harness) -> None:
    with faulty.webhooks("drop"):
        with load(faulty):
            faulty.sql("SELECT pg_sleep(5)")
        _until_paid(faulty, [buyer for buyer in faulty.buyers if buyer.has_paid])


@slow
def test_54_control_without_the_janitor_what_is_paid_is_not_found(faulty: Harness) -> None:
    buyer = _opened(faulty)
    slots = "SELECT count(*) FROM job WHERE kind = 'janitor.sweep' AND state = 'done'"
    with faulty.webhooks("drop"):
        buyer.pay()
    with (
        faulty.deaf("worker_sweeps"),
        faulty.another("worker_sweeps", "tests.faults.spendthrift", "looks", *_WORKER, *_SWEEPS),
    ):
        faulty.sql("UPDATE payment SET look_at = clock_timestamp() WHERE id = %s", buyer.payment_id)
        passed = "SELECT looks > 0 FROM payment WHERE id = %s"
        faulty.until(
            lambda: faulty.sql(passed, buyer.payment_id) == [(True,)], "its time has come and gone"
        )
        done = faulty.sql(slots)[0][0]
        faulty.until(lambda: faulty.sql(slots)[0][0] > done + 2, "the janitor has swept again")
        catch(faulty, f"charged but not booked: ('{buyer.intent_id}'")
    faulty.sql("UPDATE payment SET look_at = clock_timestamp() WHERE id = %s", buyer.payment_id)
    _until_paid(faulty, [buyer])


@slow
@pytest.mark.parametrize(
    "how",
    [{"secret": "whsec_of_somebody_else"}, {"age": 301}, {"age": -301}],
    ids=["forged", "expired", "from_the_future"],
)
def test_55_an_event_that_the_provider_did_not_send_now_is_refused(
    faulty: Harness, how: dict[str, Any]
) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer)

    answer = faulty.send(event, **how)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature")
    assert _stored(faulty, event) == []
    buyer.pay()


@slow
@pytest.mark.parametrize(
    "change", [{"account": "acct_of_somebody_else"}, {"livemode": True}], ids=["account", "mode"]
)
def test_55_an_event_of_another_account_or_mode_is_kept_and_pays_nothing(
    faulty: Harness, change: dict[str, Any]
) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, **change)

    assert faulty.send(event).status_code == 200

    assert _stored(faulty, event) == [("ignored",)]
    assert faulty.sql("SELECT state FROM orders WHERE id = %s", buyer.order["id"]) == [("pending",)]
    buyer.pay()


@slow
@pytest.mark.parametrize(
    ("guard", "change", "how"),
    [
        pytest.param("signatures", {}, {"secret": "whsec_of_somebody_else"}, id="forged"),
        pytest.param("signatures", {}, {"age": 301}, id="expired"),
        pytest.param("signatures", {}, {"age": -301}, id="from_the_future"),
        pytest.param("strangers", {"account": "acct_of_somebody_else"}, {}, id="account"),
        pytest.param("strangers", {"livemode": True}, {}, id="mode"),
    ],
)
def test_55_control_who_believes_such_an_event_calls_an_order_paid(
    faulty: Harness, guard: str, change: dict[str, Any], how: dict[str, Any]
) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, **change)

    assert faulty.tell_gullible(guard, event, **how) == _OK

    catch(faulty, f"booked but not charged: ('{buyer.intent_id}'")
    buyer.pay()


def _about_success(buyer: Buyer, **changes: Any) -> dict[str, Any]:
    """An event that calls the buyer's payment paid, which it is not; unlike all others."""
    intent = {
        "id": buyer.intent_id,
        "object": "payment_intent",
        "amount": 1999,
        "amount_received": 1999,
        "currency": "eur",
        "status": "succeeded",
        "livemode": False,
        "metadata": {},
    }
    return event_about(intent, id=f"evt_{buyer.key}", **changes)


@pytest.mark.parametrize(
    "is_stored",
    [
        pytest.param(True, id="56-after_the_commit"),
        pytest.param(False, id="57-before_the_commit", marks=slow),
    ],
)
def test_56_57_web_killed_around_the_commit_of_an_event_is_told_again(
    faulty: Harness, *, is_stored: bool
) -> None:
    buyer = _opened(faulty)
    with faulty.webhooks_held():
        buyer.pay()
        event = _success(faulty, buyer)
        storing = event["id"].encode()  # which is one message, its commit with it
        with faulty.web_to_database.set_trap(
            storing, storing, is_sent=is_stored, act=faulty.kill_web
        ) as trap:
            (lost,) = faulty.deliver(event)
            trap.wait()
        assert lost["status"] == 0
        assert bool(_stored(faulty, event)) is is_stored

    _until_paid(faulty, [buyer])
    _until_applied(faulty, event)


@slow
def test_57_control_who_answers_before_the_commit_loses_an_event_for_ever(
    faulty: Harness,
) -> None:
    buyer = _opened(faulty)
    with faulty.webhooks("drop"):  # as if all had been answered so
        buyer.pay()
        event = _success(faulty, buyer)
        assert faulty.tell_gullible("commits", event) == _OK

    _until_paid(faulty, [buyer])  # since the janitor does without
    assert _stored(faulty, event) == []


@slow
def test_58_an_event_of_a_type_that_nobody_knows_is_kept_and_changes_nothing(
    faulty: Harness,
) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, type="payment_intention.of_next_year")

    assert faulty.send(event).status_code == 200

    faulty.until(lambda: _stored(faulty, event) == [("ignored",)], "it changes nothing")
    buyer.pay()


@slow
def test_58_control_who_must_know_every_type_keeps_none_of_tomorrow(faulty: Harness) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, type="payment_intention.of_next_year")
    assert faulty.tell_gullible("types", event) == _REFUSED
    assert _stored(faulty, event) == []
    buyer.pay()


@slow
def test_58_control_who_swallows_everything_stores_a_body_of_any_size(faulty: Harness) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, type="of.any_type", padding="x" * 1_000_000)
    assert faulty.tell_gullible("sizes", event) == _OK
    faulty.until(lambda: _stored(faulty, event) == [("ignored",)], "it is stored")
    buyer.pay()


@slow
def test_58_a_body_that_is_too_large_is_refused(faulty: Harness) -> None:
    buyer = _opened(faulty)
    event = _about_success(buyer, padding="x" * 1_000_000)

    assert faulty.send(event).status_code == 413

    assert _stored(faulty, event) == []
    buyer.pay()
