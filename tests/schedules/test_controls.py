"""Guards, taken away one by one: short schedules that are sound with them notice each loss."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from models import job as ledger
from models import refund, settling
from models.job import Job, JobAttempt, Lease
from models.session import now
from providers import paypal, paypal_objects, stripe
from providers.paypal import PayPal
from providers.stripe import Stripe
from tests.schedules.machine import Schedule
from tests.schedules.provider import Provider
from tests.schedules.world import CUP, Ways, World

Act = Callable[[Schedule], object]
Careless = Callable[[pytest.MonkeyPatch], None]

CUPS = [(CUP, 1)]
A_DAY = 30 * 3600


def _at_stripe(schedule: Schedule) -> Provider:
    return schedule.world.providers["stripe"]


def _paid(schedule: Schedule) -> None:
    schedule.order_and_pay(basket=CUPS, method="card", behaviour="pays")
    schedule.hear_all(backwards=False)
    schedule.work()


def _two_refunds_of_60_percent(schedule: Schedule) -> None:
    _paid(schedule)
    for _ in range(2):
        schedule.refund(which=0, share=0.6, restock=False)


def _two_payments_of_one_order(schedule: Schedule) -> None:
    """The provider refuses the first, and has opened it all the same."""
    _at_stripe(schedule).fault("create", {"fault": "fail_after", "status": 400})
    schedule.buy(CUPS)
    schedule.start_payment(which=0)
    schedule.work()
    for theirs in schedule.payments("open"):
        _at_stripe(schedule).pay(theirs.id)
    schedule.hear_all(backwards=False)
    schedule.work()


def _a_death_over_a_payment(schedule: Schedule) -> None:
    schedule.order(basket=CUPS)
    schedule.start_payment(which=0)
    _die_with_the_answer(schedule)


def _a_death_over_a_refund(schedule: Schedule) -> None:
    _paid(schedule)
    schedule.refund(which=0, share=0.3, restock=False)
    _die_with_the_answer(schedule)


def _die_with_the_answer(schedule: Schedule) -> None:
    schedule.fall_asleep(which=0, calls=1)
    assert schedule.sleepers
    schedule.end_sleepers()


def _a_sleeper_who_is_overtaken(schedule: Schedule) -> None:
    schedule.order(basket=CUPS)
    schedule.start_payment(which=0)
    schedule.fall_asleep(which=0, calls=1)
    schedule.others_go_on()


def _an_answer_lost_for_a_day(schedule: Schedule) -> None:
    _at_stripe(schedule).fault("create", {"fault": "accept_then_cut"})
    schedule.buy(CUPS)
    schedule.let_pass(seconds=A_DAY)
    schedule.work()


def _a_death_over_a_refund_of_paypal(schedule: Schedule) -> None:
    _paid_by_paypal(schedule)
    schedule.work()
    schedule.hear_all(backwards=False)
    schedule.work()
    schedule.refund(which=0, share=0.3, restock=False)
    _die_with_the_answer(schedule)


def _cancelled_over_money_that_nobody_has_heard_of(schedule: Schedule) -> None:
    _paid_by_paypal(schedule)
    schedule.do_one(which=0)
    _die_with_the_answer(schedule)
    schedule.cancel(which=0)
    schedule.others_go_on()


def _paid_by_paypal(schedule: Schedule) -> None:
    """The shop knows that the buyer agrees; nobody has taken the money yet."""
    schedule.order_and_pay(basket=CUPS, method="paypal", behaviour="pays")
    schedule.hear_all(backwards=False)


def _shares_are_not_summed(patch: pytest.MonkeyPatch) -> None:
    guarded = refund._REQUEST
    careless = text(guarded.text.replace("WHERE left_minor >= coalesce(:amount_minor, 1)", ""))
    patch.setattr(refund, "_REQUEST", careless.bindparams(*guarded._bindparams.values()))


def _money_too_much_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "_give_back", lambda *_: None)


def _each_call_has_a_new_key(name: str) -> Careless:
    def take_away(patch: pytest.MonkeyPatch) -> None:
        call: Any = getattr(Stripe, name)
        patch.setattr(
            Stripe,
            name,
            lambda adapter, request: call(adapter, replace(request, key=secrets.token_hex(8))),
        )

    return take_away


def _leases_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    def end(
        session: Session, lease: Lease, state: str, outcome: str, error: str | None = None
    ) -> None:
        ending = {"state": state, "lease_token": None, "lease_until": None, "finished_at": now()}
        session.execute(update(Job).where(Job.id == lease.job_id).values(ending))
        note: dict[str, Any] = {"attempt": lease.attempt, "outcome": outcome, "error": error}
        session.add(JobAttempt(job_id=lease.job_id, lease_token=lease.token, **note))

    patch.setattr(ledger, "end", end)


def _what_may_be_there_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stripe, "_once", lambda _request, _find, make: make())


def _nothing_tells_a_refund_of_paypal_from_another(patch: pytest.MonkeyPatch) -> None:
    """Each of these alone would be enough: what was given back before, the key, the invoice."""
    patch.setattr(paypal_objects, "refunds_of", lambda _: [])
    call = PayPal.refund
    patch.setattr(
        PayPal,
        "refund",
        lambda adapter, request: call(adapter, replace(request, key=secrets.token_hex(8))),
    )


def _paypal_is_not_looked_at_to_close(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PayPal, "close", lambda _, request: paypal._forgotten(request, is_live=False))


def _broken(world: World, act: Act) -> str:
    schedule = Schedule(world)
    world.begin(Ways())
    try:
        act(schedule)
        world.check()
        schedule.come_to_the_end()
    except AssertionError as wrong:
        return str(wrong)
    finally:
        schedule.end_sleepers()
    return ""


@pytest.mark.parametrize(
    ("take_away", "act", "said"),
    [
        (_shares_are_not_summed, _two_refunds_of_60_percent, "gives_back_no_more"),
        (_money_too_much_is_kept, _two_payments_of_one_order, "payment.surplus_is_seen"),
        (_each_call_has_a_new_key("_create"), _a_death_over_a_payment, "for 2 payments"),
        (_each_call_has_a_new_key("_refund"), _a_death_over_a_refund, "for 2 refunds"),
        (_what_may_be_there_is_not_looked_for, _an_answer_lost_for_a_day, "for 2 payments"),
        (
            _nothing_tells_a_refund_of_paypal_from_another,
            _a_death_over_a_refund_of_paypal,
            "for 2 refunds",
        ),
        (
            _paypal_is_not_looked_at_to_close,
            _cancelled_over_money_that_nobody_has_heard_of,
            "is cancelled, at the provider succeeded",
        ),
        (_leases_are_not_looked_at, _a_sleeper_who_is_overtaken, "job.was_ended_by"),
    ],
)
def test_a_guard_that_is_gone_is_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, take_away: Careless, act: Act, said: str
) -> None:
    assert _broken(world, act) == ""
    take_away(monkeypatch)
    assert said in _broken(world, act)
