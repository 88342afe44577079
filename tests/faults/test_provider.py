"""Faults 38 to 50: the provider is slow, silent, forgetful, down, or of another opinion."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from models import catalogue
from tests.faults.checks import catch
from tests.faults.harness import Harness
from tests.faults.load import Buyer, load
from tests.shop import at_once, line

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]
slow = pytest.mark.faults

_CREATE, _REFUND = "payment_intents.create", "refunds.create"
_LONELY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")
_WORKER = ("worker", "--pool", "threads", "--concurrency", "2", *_LONELY)
_PAYMENTS = ("--queues", "payments,webhooks", "--hostname", "another@%h")
_DAY_HOURS = 25


def _ordered(faulty: Harness) -> Buyer:
    """Somebody who has ordered and not begun to pay."""
    buyer = faulty.buyer()
    buyer.place()
    return buyer


def _paid(faulty: Harness) -> Buyer:
    """Somebody whose order is paid."""
    buyer = faulty.buyer()
    buyer.buy()
    _until_order(faulty, buyer, "paid")
    return buyer


def _pay(buyer: Buyer) -> None:
    buyer.follow()
    buyer.pay()


def _until_order(faulty: Harness, buyer: Buyer, state: str) -> None:
    found = "SELECT state FROM orders WHERE id = %s"
    faulty.until(
        lambda: faulty.sql(found, buyer.order["id"]) == [(state,)],
        f"order {buyer.order['id']} is {state}",
    )


def _until_payment(faulty: Harness, buyer: Buyer, *states: str) -> None:
    found = "SELECT 1 FROM payment WHERE id = %s AND state = ANY(%s)"
    faulty.until(
        lambda: faulty.sql(found, buyer.payment_id, list(states)) != [],
        f"payment {buyer.payment_id} is {states}",
    )


def _until_refund(faulty: Harness, refund_id: int, state: str) -> None:
    found = "SELECT state FROM refund WHERE id = %s"
    faulty.until(
        lambda: faulty.sql(found, refund_id) == [(state,)], f"refund {refund_id} is {state}"
    )


def _key(faulty: Harness, buyer: Buyer) -> str:
    """The idempotency key of the buyer's payment at the provider."""
    ((key,),) = faulty.sql("SELECT provider_key FROM payment WHERE id = %s", buyer.payment_id)
    return str(key)


def _intents(faulty: Harness, buyer: Buyer) -> list[dict[str, Any]]:
    """What the provider has opened for the buyer's payment."""
    return [
        intent
        for intent in faulty.ledger["payment_intents"]
        if intent["metadata"].get("payment_id") == str(buyer.payment_id)
    ]


def _refunds(faulty: Harness, buyer: Buyer) -> list[int]:
    """What the provider has given back of the buyer's payment."""
    return [
        refund["amount"]
        for refund in faulty.ledger["refunds"]
        if refund["payment_intent"] == buyer.intent_id
    ]


def _asked_for(answer: requests.Response) -> int:
    """The id of the refund that was asked for."""
    assert answer.status_code == 202, answer.text
    return int(answer.json()["refund_id"])


def _flags(faulty: Harness, buyer: Buyer) -> dict[str, Any]:
    ((shortage, review, disputed),) = faulty.sql(
        "SELECT stock_shortage, needs_review, disputed FROM orders WHERE id = %s",
        buyer.order["id"],
    )
    return {"stock_shortage": shortage, "needs_review": review, "disputed": disputed}


def _flagged(*names: str) -> dict[str, Any]:
    return {name: name in names for name in ("stock_shortage", "needs_review", "disputed")}


@contextmanager
def _instead_of_the_worker(faulty: Harness, guard: str) -> Iterator[None]:
    """Payments and webhooks are the business of a worker that lacks a guard."""
    with (
        faulty.deaf("worker_payments"),
        faulty.another("worker_payments", "tests.faults.spendthrift", guard, *_WORKER, *_PAYMENTS),
    ):
        yield


# --- its answer to the opening of a payment is lost, slow or an error ---


@slow
def test_38_a_request_that_never_arrived_is_repeated_and_opens_one_payment(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    with faulty.provider_fault("cut", times=2):
        buyer.start_payment()
        _pay(buyer)

    calls = faulty.calls(_CREATE, _key(faulty, buyer))
    assert [call["status"] for call in calls] == [0, 0, 200]


@slow
@pytest.mark.parametrize(
    ("fault", "details"),
    [
        pytest.param("cut", {}, id="38"),
        pytest.param("fail_before", {"status": 500}, id="40"),
        pytest.param("delay", {"seconds": 6}, id="41"),
    ],
)
def test_38_40_41_control_who_takes_silence_for_a_no_fails_a_payment(
    faulty: Harness, fault: str, details: dict[str, Any]
) -> None:
    buyer = _ordered(faulty)
    with _instead_of_the_worker(faulty, "silence"), faulty.provider_fault(fault, **details):
        buyer.start_payment()
        _until_payment(faulty, buyer, "failed")
    _call_off(faulty, buyer, "payments.create_intent")
    _pay_anew(buyer)


def test_39_an_answer_that_was_lost_opens_one_payment(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    with faulty.webhooks_held():
        with faulty.provider_fault("accept_then_cut"):
            buyer.start_payment()
            buyer.follow()
        assert len(_intents(faulty, buyer)) == 1
    buyer.pay()


@slow
def test_39_an_answer_that_was_lost_is_not_missed_while_the_search_lags(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    with (
        faulty.webhooks_held(),
        faulty.provider_setting("search_lag_seconds", 3600, afterwards=0),
        faulty.provider_fault("accept_then_cut"),
    ):
        buyer.start_payment()
        buyer.follow()
    buyer.pay()

    replayed = [call["replayed"] for call in faulty.calls(_CREATE, _key(faulty, buyer))]
    assert replayed == [False, True]


@slow
def test_39_control_with_a_random_key_a_lost_answer_opens_two(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    with (
        faulty.webhooks("drop"),
        _instead_of_the_worker(faulty, "keys"),
        faulty.provider_fault("accept_then_cut"),
    ):
        buyer.start_payment()
        catch(faulty, f"payment {buyer.payment_id} was opened more than once")
    _pay(buyer)


@slow
@pytest.mark.parametrize(
    ("status", "details"),
    [(500, {}), (503, {}), (429, {"retry_after": 1}), (429, {"code": "lock_timeout"})],
)
def test_40_errors_of_the_provider_put_a_payment_off(
    faulty: Harness, status: int, details: dict[str, Any]
) -> None:
    buyer = _ordered(faulty)
    with faulty.provider_fault("fail_before", status=status, times=3, **details):
        buyer.start_payment()
        _pay(buyer)

    statuses = Counter(call["status"] for call in faulty.calls(_CREATE, _key(faulty, buyer)))
    assert statuses == {status: 3, 200: 1}


@slow
def test_40_a_saved_error_that_is_repeated_for_the_key_does_not_trap_the_payment(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    with faulty.webhooks_held(), faulty.provider_fault("fail_after", status=500):
        buyer.start_payment()
        buyer.follow()
    buyer.pay()

    assert len(_intents(faulty, buyer)) == 1


@slow
def test_40_control_without_a_look_a_saved_error_is_repeated_for_ever(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    with (
        faulty.webhooks("drop"),
        _instead_of_the_worker(faulty, "memory"),
        faulty.provider_fault("fail_after", status=500),
    ):
        buyer.start_payment()
        key = _key(faulty, buyer)
        faulty.until(
            lambda: len([each for each in faulty.calls(_CREATE, key) if each["replayed"]]) > 2,
            "the saved error has come again and again",
        )
        assert {call["status"] for call in faulty.calls(_CREATE, key)} == {500}
        assert len(_intents(faulty, buyer)) == 1
    _pay(buyer)


@slow
def test_41_a_conflict_with_the_first_request_still_running_ends_in_one_payment(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    with faulty.provider_fault("delay", seconds=6):  # we wait for 2, and ask again meanwhile
        buyer.start_payment()
        key = _key(faulty, buyer)
        faulty.until(
            lambda: 409 in [call["status"] for call in faulty.calls(_CREATE, key)],
            "the provider says that it is still at work",
        )
        _pay(buyer)
    assert len(_intents(faulty, buyer)) == 1


@slow
def test_42_a_key_that_was_used_for_something_else_ends_in_the_hands_of_a_person(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    with faulty.deaf("worker_payments"):
        buyer.start_payment()
        _use_up_its_key(faulty, buyer)
    _until_payment(faulty, buyer, "failed")
    job = faulty.job("payments.create_intent", buyer.order["id"])
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert job["last_error"].startswith("Rejected: ")
    _call_off(faulty, buyer, "payments.create_intent")
    _pay_anew(buyer)


@slow
def test_42_control_who_never_takes_a_no_asks_again_and_again(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    with faulty.deaf("worker_payments"):
        buyer.start_payment()
        _use_up_its_key(faulty, buyer)
        words = ("tests.faults.spendthrift", "noes", *_WORKER, *_PAYMENTS)
        with faulty.another("worker_payments", *words):
            faulty.until(
                lambda: faulty.job("payments.create_intent", buyer.order["id"])["attempts"] > 2,
                "what was refused is asked for again",
            )
    _until_payment(faulty, buyer, "failed")
    _call_off(faulty, buyer, "payments.create_intent")
    _pay_anew(buyer)


def _use_up_its_key(faulty: Harness, buyer: Buyer) -> None:
    """Let another program have sent something else with the key of the buyer's payment."""
    faulty.api(
        "POST",
        "payment_intents",
        data={"amount": 5000, "currency": "eur"},
        headers={"Idempotency-Key": _key(faulty, buyer)},
    )


def _call_off(faulty: Harness, buyer: Buyer, kind: str) -> None:
    """Cancel a dead job, as staff would."""
    job = faulty.job(kind, buyer.order["id"])
    assert job["state"] == "dead", job
    faulty.sql("UPDATE job SET state = 'cancelled' WHERE id = %s", job["id"])


def _pay_anew(buyer: Buyer) -> None:
    """Pay by another payment than the one that failed."""
    buyer.begin_anew()
    buyer.start_payment()
    _pay(buyer)


# --- it forgets ---


def _unknown_for_a_day(faulty: Harness) -> Buyer:
    """Somebody whose payment was opened, of which we have heard nothing since yesterday."""
    buyer = _ordered(faulty)
    with (
        faulty.provider_fault("accept_then_cut"),
        faulty.provider_fault("cut", "*", times=None),
    ):
        buyer.start_payment()
        _until_payment(faulty, buyer, "unknown")
        faulty.sql(
            "UPDATE orders SET expires_at = expires_at + interval '3 days' WHERE id = %s",
            buyer.order["id"],
        )
        faulty.let_pass(_DAY_HOURS)
    return buyer


@slow
def test_43_a_payment_whose_key_is_forgotten_is_looked_for_before_it_is_opened(
    faulty: Harness,
) -> None:
    with faulty.webhooks("drop"):
        buyer = _unknown_for_a_day(faulty)
        buyer.follow()
    assert len(_intents(faulty, buyer)) == 1
    buyer.pay()


@slow
def test_43_control_without_a_look_a_forgotten_key_opens_two(faulty: Harness) -> None:
    with faulty.webhooks("drop"), _instead_of_the_worker(faulty, "memory"):
        buyer = _unknown_for_a_day(faulty)
        catch(faulty, f"payment {buyer.payment_id} was opened more than once")
    _pay(buyer)


@slow
def test_43_a_refund_whose_key_is_forgotten_is_looked_for_before_it_is_made(
    faulty: Harness,
) -> None:
    buyer = _paid(faulty)
    with faulty.webhooks("drop"):
        with (
            faulty.provider_fault("accept_then_cut", _REFUND),
            faulty.provider_fault("cut", "*", times=None),
        ):
            refund_id = _asked_for(faulty.clerk.refund(buyer.payment_id, "5.00"))
            _until_refund(faulty, refund_id, "unknown")
            faulty.let_pass(_DAY_HOURS)
        _until_refund(faulty, refund_id, "succeeded")
    assert _refunds(faulty, buyer) == [500]


# --- it is of another opinion ---


@slow
def test_44_a_declined_card_may_be_followed_by_one_that_pays(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    buyer.start_payment()
    buyer.follow()
    declined = [
        buyer.try_to_pay(f"pm_card_{card}").status_code
        for card in ("chargeDeclined", "chargeDeclinedInsufficientFunds")
    ]
    buyer.pay()
    _until_order(faulty, buyer, "paid")

    assert declined == [402, 402]
    tries = "SELECT code FROM payment_attempt WHERE payment_id = %s ORDER BY id"
    faulty.until(lambda: len(faulty.sql(tries, buyer.payment_id)) == 2, "both declines are kept")
    assert not _was_called_failed(faulty, buyer)


@slow
def test_44_control_who_takes_a_decline_for_the_end_fails_what_can_be_paid(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    buyer.start_payment()
    buyer.follow()
    with _instead_of_the_worker(faulty, "declines"):
        assert buyer.try_to_pay("pm_card_chargeDeclined").status_code == 402
        faulty.until(lambda: _was_called_failed(faulty, buyer), "it is called failed")
    buyer.pay()


def _was_called_failed(faulty: Harness, buyer: Buyer) -> bool:
    moves = (
        "SELECT 1 FROM journal WHERE subject = 'payment' AND subject_id = %s"
        " AND to_state = 'failed'"
    )
    return faulty.sql(moves, buyer.payment_id) != []


@slow
def test_44_a_declined_card_and_no_other_frees_the_goods_once(faulty: Harness) -> None:
    buyer = _ordered(faulty)
    buyer.start_payment()
    buyer.follow()
    assert buyer.try_to_pay("pm_card_chargeDeclined").status_code == 402
    _run_out(faulty, buyer)

    _until_order(faulty, buyer, "expired")
    released = "SELECT count(*) FROM stock_movement WHERE order_id = %s AND reason = 'released'"
    assert faulty.sql(released, buyer.order["id"]) == [(1,)]


def _run_out(faulty: Harness, buyer: Buyer) -> None:
    """End the time in which the order must be paid, and any more of it."""
    faulty.sql(
        "UPDATE orders SET expires_at = created_at, is_extended = true WHERE id = %s",
        buyer.order["id"],
    )


def _scarce(faulty: Harness, sku: str) -> dict[str, Any]:
    """A line of an order for the one that there is of an item."""
    with faulty.database() as session:
        catalogue.create(
            session, sku=sku, title=sku, unit_price_minor=1999, currency="EUR", stock=1, who="test"
        )
    return line(sku, 1, product_title=sku)


def _expired_but_open_there(faulty: Harness, line_: dict[str, Any]) -> tuple[Buyer, str]:
    """Somebody whose payment was opened although the provider said no; their intent."""
    buyer = faulty.buyer()
    buyer.place(items=[line_])
    with faulty.webhooks("drop"), faulty.provider_fault("fail_after", status=400):
        buyer.start_payment()
        _until_payment(faulty, buyer, "failed")
    _call_off(faulty, buyer, "payments.create_intent")
    _run_out(faulty, buyer)
    _until_order(faulty, buyer, "expired")
    (intent,) = _intents(faulty, buyer)
    return buyer, intent["id"]


@contextmanager
def _policy(faulty: Harness, policy: str) -> Iterator[None]:
    with (
        faulty.deaf("worker_payments"),
        faulty.another(
            *("worker_payments", "celery", "--app", "tasks", *_WORKER, *_PAYMENTS),
            LATE_PAYMENT_POLICY=policy,
        ),
    ):
        yield


@slow
@pytest.mark.parametrize("policy", ["flag", "refund"])
def test_45_money_that_comes_late_buys_what_is_still_there(faulty: Harness, policy: str) -> None:
    buyer, intent_id = _expired_but_open_there(faulty, _scarce(faulty, f"LATE-{policy.upper()}"))
    with _policy(faulty, policy):
        faulty.act(f"payment_intents/{intent_id}", "pay")
        buyer.has_paid = True
        _until_order(faulty, buyer, "paid")
    assert _flags(faulty, buyer) == _flagged()


@slow
@pytest.mark.parametrize("policy", ["flag", "refund"])
def test_45_money_that_comes_too_late_is_told_of_or_given_back(
    faulty: Harness, policy: str
) -> None:
    late, intent_id = _too_late(faulty, f"GONE-{policy.upper()}")
    with _policy(faulty, policy):
        faulty.act(f"payment_intents/{intent_id}", "pay")
        if policy == "flag":
            late.has_paid = True
            _until_order(faulty, late, "paid")
            assert _flags(faulty, late) == _flagged("stock_shortage")
        else:
            whole = "SELECT state, amount_minor FROM refund WHERE payment_id = %s"
            faulty.until(
                lambda: faulty.sql(whole, late.payment_id) == [("succeeded", 1999)],
                "the money is given back",
            )
            _until_order(faulty, late, "expired")


@slow
def test_45_control_without_a_refund_money_that_comes_too_late_is_kept(faulty: Harness) -> None:
    late, intent_id = _too_late(faulty, "GONE-AND-KEPT")
    words = ("tests.faults.spendthrift", "surplus", *_WORKER, *_PAYMENTS)
    with (
        faulty.deaf("worker_payments"),
        faulty.another("worker_payments", *words, LATE_PAYMENT_POLICY="refund"),
    ):
        faulty.act(f"payment_intents/{intent_id}", "pay")
        catch(faulty, f"orders {late.order['id']}: expired, but paid for")
    assert f"payment {late.payment_id} was not wanted, and 1999 were kept" in faulty.reported


def _too_late(faulty: Harness, sku: str) -> tuple[Buyer, str]:
    """Somebody whose time is over, and whose piece another has bought; their open intent."""
    line_ = _scarce(faulty, sku)
    late, intent_id = _expired_but_open_there(faulty, line_)
    faster = faulty.buyer()
    faster.place(items=[line_])
    faster.start_payment()
    _pay(faster)
    _until_order(faulty, faster, "paid")
    return late, intent_id


@slow
@pytest.mark.parametrize("change", [{"amount": 1000}, {"currency": "usd"}], ids=str)
def test_46_another_amount_or_currency_is_never_called_paid(
    faulty: Harness, change: dict[str, Any]
) -> None:
    buyer = _opened_and_changed(faulty, change)
    buyer.try_to_pay().raise_for_status()

    faulty.until(lambda: _flags(faulty, buyer)["needs_review"], "a person is asked to look")
    _until_order(faulty, buyer, "pending")
    assert faulty.sql("SELECT state FROM payment WHERE id = %s", buyer.payment_id) == [("open",)]


@slow
def test_46_control_without_the_comparison_a_wrong_amount_pays(faulty: Harness) -> None:
    with _instead_of_the_worker(faulty, "amounts"):
        buyer = _opened_and_changed(faulty, {"amount": 1000})
        buyer.pay()
        catch(faulty, f"payment {buyer.payment_id}: received 1000 of 1999")


def _opened_and_changed(faulty: Harness, change: dict[str, Any]) -> Buyer:
    """Somebody who could pay, and another program of the shop has changed what."""
    buyer = _ordered(faulty)
    buyer.start_payment()
    buyer.follow()
    faulty.api("POST", f"payment_intents/{buyer.intent_id}", data=change)
    return buyer


# --- refunds and disputes ---


@slow
@pytest.mark.parametrize(
    ("fault", "details"), [("accept_then_cut", {}), ("fail_after", {"status": 500})]
)
def test_47_a_refund_whose_answer_was_lost_is_made_once(
    faulty: Harness, fault: str, details: dict[str, Any]
) -> None:
    buyer = _paid(faulty)
    with faulty.webhooks_held(), faulty.provider_fault(fault, _REFUND, **details):
        refund_id = _asked_for(faulty.clerk.refund(buyer.payment_id, "5.00"))
        _until_refund(faulty, refund_id, "succeeded")
    assert _refunds(faulty, buyer) == [500]


@slow
def test_47_control_with_a_random_key_a_lost_answer_gives_back_twice(faulty: Harness) -> None:
    buyer = _paid(faulty)
    with (
        faulty.webhooks_held(),
        _instead_of_the_worker(faulty, "keys"),
        faulty.provider_fault("accept_then_cut", _REFUND),
    ):
        refund_id = _asked_for(faulty.clerk.refund(buyer.payment_id, "5.00"))
        catch(faulty, f"refund {refund_id} was made more than once")
    assert _refunds(faulty, buyer) == [500, 500]


@slow
def test_48_two_clerks_who_refund_at_once_give_back_no_more_than_was_paid(
    faulty: Harness,
) -> None:
    buyer, clerk = _paid(faulty), faulty.clerk
    answers = at_once(lambda _: clerk.refund(buyer.payment_id, "12.00"), 2)

    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 1}
    rest = at_once(lambda _: clerk.refund(buyer.payment_id), 2)
    assert len({answer.json()["refund_id"] for answer in rest}) == 1
    assert clerk.refund(buyer.payment_id, "0.01").status_code == 409
    faulty.until(lambda: sorted(_refunds(faulty, buyer)) == [799, 1200], "all of it is given back")


@slow
def test_48_control_without_the_sum_two_refunds_promise_more_than_was_paid(
    faulty: Harness,
) -> None:
    buyer = _paid(faulty)
    with faulty.deaf("worker_payments"):
        for _ in range(2):
            _refund_carelessly(faulty, "sums", buyer, "1200")
        catch(faulty, f"of payment {buyer.payment_id} more goes back than it brought")
    ended = "SELECT state FROM refund WHERE payment_id = %s ORDER BY state"
    faulty.until(
        lambda: faulty.sql(ended, buyer.payment_id) == [("failed",), ("succeeded",)],
        "the provider has refused one",
    )
    faulty.until(lambda: _flags(faulty, buyer)["needs_review"], "a person is asked to look")
    faulty.sql(
        "UPDATE job SET state = 'cancelled' WHERE state = 'dead' AND order_id = %s",
        buyer.order["id"],
    )


def _refund_carelessly(faulty: Harness, guard: str, buyer: Buyer, minor: str) -> None:
    words = ("tests.faults.spendthrift", guard, str(buyer.payment_id), minor)
    with faulty.another("web", *words) as careless:
        assert careless.wait(timeout=60) == 0


@slow
@pytest.mark.parametrize("ending", ["win", "lose"])
def test_49_a_dispute_is_kept_and_no_refund_pays_a_second_time(
    faulty: Harness, ending: str
) -> None:
    buyer = _paid(faulty)
    dispute = _dispute(faulty, buyer)
    refused = faulty.clerk.refund(buyer.payment_id)

    faulty.act(f"disputes/{dispute['id']}", ending)
    is_lost = ending == "lose"
    ended = "SELECT state FROM dispute WHERE payment_id = %s"
    faulty.until(
        lambda: faulty.sql(ended, buyer.payment_id) == [("lost" if is_lost else "won",)],
        "the dispute is over",
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "refund_blocked")
    assert _flags(faulty, buyer)["disputed"] is is_lost
    assert (faulty.clerk.refund(buyer.payment_id).status_code == 409) is is_lost


@slow
def test_49_control_without_the_block_a_disputed_payment_is_refunded(faulty: Harness) -> None:
    buyer = _paid(faulty)
    _dispute(faulty, buyer)
    with _instead_of_the_worker(faulty, "disputes"):
        _refund_carelessly(faulty, "disputes", buyer, "500")
        _until_job(faulty, buyer, "refunds.create", "dead")
    said = faulty.job("refunds.create", buyer.order["id"])["last_error"]
    assert said.startswith("Rejected: charge_disputed"), "only the provider has stopped it"
    _call_off(faulty, buyer, "refunds.create")


def _dispute(faulty: Harness, buyer: Buyer) -> dict[str, Any]:
    """Have the buyer's bank take the money back; the dispute, of which we know then."""
    (charge,) = [
        each for each in faulty.ledger["charges"] if each["payment_intent"] == buyer.intent_id
    ]
    dispute = faulty.act(f"charges/{charge['id']}", "dispute")
    faulty.until(lambda: _flags(faulty, buyer)["disputed"], "the order is disputed")
    return dispute


def _until_job(faulty: Harness, buyer: Buyer, kind: str, state: str) -> None:
    faulty.until(
        lambda: faulty.job(kind, buyer.order["id"]).get("state") == state, f"{kind} is {state}"
    )


# --- it is down ---


@slow
@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_50_while_the_provider_is_down_orders_are_taken_and_later_paid_or_closed(
    faulty: Harness, how: str
) -> None:
    down = (
        faulty.provider_fault("cut", "*", times=None)
        if how == "refuses"
        else faulty.worker_to_provider.mute()
    )
    with down:
        payers, idlers = ([_ordered(faulty) for _ in range(4)] for _ in range(2))
        for buyer in (*payers, *idlers):
            buyer.start_payment()
        for buyer in idlers:
            _until_payment(faulty, buyer, "sent", "unknown")
            _run_out(faulty, buyer)
        closing = "SELECT count(*) FROM orders WHERE id = ANY(%s) AND closing IS NOT NULL"
        ids = [buyer.order["id"] for buyer in idlers]
        faulty.until(lambda: faulty.sql(closing, ids) == [(4,)], "they are being closed")
        held = "SELECT count(*) FROM reservation WHERE order_id = ANY(%s) AND state = 'active'"
        assert faulty.sql(held, ids) == [(4,)]
        assert faulty.get("/readyz").status_code == 200
    for buyer in payers:
        _pay(buyer)
    for buyer in idlers:
        _until_order(faulty, buyer, "expired")


@slow
def test_50_control_who_does_not_ask_gives_goods_away_that_can_still_be_paid(
    faulty: Harness,
) -> None:
    buyer = _ordered(faulty)
    buyer.start_payment()
    buyer.follow()
    with (
        _instead_of_the_worker(faulty, "closing"),
        faulty.provider_fault("cut", "*", times=None),
    ):
        _run_out(faulty, buyer)
        _until_order(faulty, buyer, "expired")
    assert [each["status"] for each in _intents(faulty, buyer)] == ["requires_payment_method"]
    buyer.pay()


@slow
def test_50_a_provider_that_dies_again_and_again_under_load_loses_no_payment(
    faulty: Harness,
) -> None:
    with load(faulty):
        for _ in range(3):
            with faulty.killing("provider") as shoot:
                shoot()
