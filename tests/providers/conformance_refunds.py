"""Refunds and disputes: money goes back once, and what others did with it is seen."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from providers.base import OutcomeUnknown, Rejected
from tests.providers.world import (
    AMBIGUITIES,
    Fault,
    World,
    name_of,
    paid,
    refund_request,
    scenario,
    scenario_if,
    scenario_of,
    shown,
)

HOUR = timedelta(hours=1)


@scenario
def money_is_given_back_and_bears_our_mark(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    made = world.adapter.refund(asked)

    assert (made.state, made.amount_minor, made.currency) == ("succeeded", 1000, "EUR")
    assert made.marked_refund_id == asked.refund_id
    assert made.provider_payment_id == payment.provider_payment_id
    assert made.reason in ("requested_by_customer", None)
    assert abs(made.created_at - datetime.now(UTC)) < HOUR
    assert world.refunded(name_of(payment)) == [1000]


@scenario
def a_repetition_gives_nothing_back_twice(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    assert world.adapter.refund(asked) == world.adapter.refund(asked)
    assert world.refunded(name_of(payment)) == [1000]


@scenario_of(*AMBIGUITIES)
def whatever_becomes_of_the_answer_money_is_given_back_once(world: World, fault: Fault) -> None:
    payment, ambiguity = paid(world), AMBIGUITIES[fault]
    asked = refund_request(world, payment)
    world.fault("refund", fault)
    with pytest.raises(ambiguity.error):
        world.adapter.refund(asked)
    assert len(world.refunded(name_of(payment))) == ambiguity.happened

    asked = replace(asked, is_unknown=ambiguity.error is OutcomeUnknown)
    names = {world.adapter.refund(asked).provider_refund_id for _ in range(2)}

    assert len(names) == 1
    assert world.refunded(name_of(payment)) == [1000]


@scenario
def a_worker_that_died_before_it_heard_the_answer_gives_nothing_back_twice(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    world.fault("refund", "accept_then_cut")
    with pytest.raises(OutcomeUnknown):
        world.adapter.refund(asked)
    world.adapter.refund(asked)
    assert world.refunded(name_of(payment)) == [1000]


@scenario
def a_look_up_that_fails_gives_nothing_back(world: World) -> None:
    payment = paid(world)
    world.fault("refunds_of", "cut")
    with pytest.raises(OutcomeUnknown):
        world.adapter.refund(refund_request(world, payment, is_unknown=True))
    assert world.refunded(name_of(payment)) == []


@scenario
def past_the_memory_of_the_key_a_refund_is_found_and_not_made_again(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    first = world.adapter.refund(asked)
    world.later(world.refund_key_memory + HOUR)

    again = world.adapter.refund(replace(asked, age=world.refund_key_memory + HOUR))

    assert again == first
    assert world.refunded(name_of(payment)) == [1000]


@scenario_if("doubles_refunds")
def without_the_look_up_a_forgotten_key_would_give_it_back_twice(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    world.adapter.refund(asked)
    world.later(world.refund_key_memory + HOUR)
    world.adapter.refund(asked)  # as if it had just been sent for the first time
    assert world.refunded(name_of(payment)) == [1000, 1000]


@scenario
def two_refunds_of_one_amount_are_two(world: World) -> None:
    payment = paid(world)
    asked = [refund_request(world, payment, is_unknown=True) for _ in range(2)]
    names = {world.adapter.refund(each).provider_refund_id for each in asked}
    assert len(names) == 2
    assert world.refunded(name_of(payment)) == [1000, 1000]


@scenario
def more_than_was_taken_is_refused(world: World) -> None:
    payment = paid(world)
    with pytest.raises(Rejected):
        world.adapter.refund(refund_request(world, payment, amount_minor=3999))
    world.adapter.refund(refund_request(world, payment, amount_minor=3998))
    with pytest.raises(Rejected, match=world.refusals["refunded"]):
        world.adapter.refund(refund_request(world, payment, amount_minor=1))
    assert world.refunded(name_of(payment)) == [3998]


@scenario
def what_the_bank_took_back_is_not_given_back_as_well(world: World) -> None:
    payment = paid(world)
    world.dispute(name_of(payment))
    with pytest.raises(Rejected, match=world.refusals["disputed"]):
        world.adapter.refund(refund_request(world, payment))
    assert world.refunded(name_of(payment)) == []


@scenario_of(True, False, needs="refunds_slowly")
def a_refund_is_pending_until_it_arrives_or_fails(world: World, arrives: bool) -> None:
    made = world.adapter.refund(refund_request(world, paid(world, "is_refunded_slowly")))
    assert made.state == "pending"
    world.end_refund(made.provider_refund_id, arrives=arrives)
    seen = world.adapter.fetch_refund(made.provider_refund_id)
    assert seen.state == ("succeeded" if arrives else "failed")
    assert bool(seen.failure) != arrives
    assert seen.marked_refund_id == made.marked_refund_id


@scenario_if("takes_refunds_back")
def a_refund_that_has_arrived_may_come_back(world: World) -> None:
    made = world.adapter.refund(refund_request(world, paid(world)))
    assert made.state == "succeeded"
    world.end_refund(made.provider_refund_id, arrives=False)
    assert world.adapter.fetch_refund(made.provider_refund_id).state == "failed"


@scenario
def all_refunds_of_a_payment_are_seen_ours_and_others(world: World) -> None:
    payment, other = paid(world), paid(world)
    ours = world.adapter.refund(refund_request(world, payment))
    outside = world.refund(name_of(payment), 90)
    world.adapter.refund(refund_request(world, other))

    seen = {each.provider_refund_id: each for each in world.adapter.refunds_of(name_of(payment))}

    assert seen.keys() == {ours.provider_refund_id, outside}
    assert seen[ours.provider_refund_id] == ours
    assert (seen[outside].marked_refund_id, seen[outside].amount_minor) == (None, 90)


@scenario
def a_payment_may_have_more_refunds_than_a_page(world: World) -> None:
    payment = paid(world)
    ours = world.adapter.refund(refund_request(world, payment, amount_minor=1))
    for _ in range(101):
        world.refund(name_of(payment), 1)

    seen = world.adapter.refunds_of(name_of(payment))

    assert len({each.provider_refund_id for each in seen}) == len(seen) == 102
    assert ours in seen
    pages = list(world.adapter.refunds_since(ours.created_at))
    assert [each for each in shown(pages) if each in seen] == seen
    assert len(pages) > 1


@scenario
def refunds_of_any_payment_are_listed_newest_first_with_both_ends_of_a_time(world: World) -> None:
    since = datetime.fromtimestamp(int(time.time()), UTC) + timedelta(days=2)
    payments = [paid(world), paid(world)]
    made = []
    for moment in (since - HOUR, since + HOUR, since + 3 * HOUR):
        world.later(moment - datetime.now(UTC))
        ours = world.adapter.refund(refund_request(world, payments[0]))
        made += [ours.provider_refund_id, world.refund(name_of(payments[1]), 90)]

    listed = shown(world.adapter.refunds_since(since, since + 2 * HOUR))
    known = [each for each in listed if each.provider_refund_id in made]

    assert [each.provider_refund_id for each in known] == [made[3], made[2]]
    assert known[0].provider_payment_id == name_of(payments[1])
    assert known[0].marked_refund_id is None


@scenario
def disputes_of_any_payment_are_listed(world: World) -> None:
    since = datetime.fromtimestamp(int(time.time()), UTC)
    payments = [paid(world), paid(world)]
    made = [world.dispute(name_of(payment)) for payment in payments]

    listed = shown(world.adapter.disputes_since(since))
    known = [each for each in listed if each.provider_dispute_id in made]

    assert [each.provider_dispute_id for each in known] == made[::-1]
    assert known == [world.adapter.disputes_of(name_of(each))[0] for each in payments[::-1]]
    assert shown(world.adapter.disputes_since(since - HOUR, since - HOUR / 2)) == []


@scenario
def a_payment_that_nobody_disputes_has_no_dispute(world: World) -> None:
    assert world.adapter.disputes_of(name_of(paid(world))) == []


@scenario_of("won", "lost")
def a_dispute_is_open_until_somebody_wins(world: World, end: str) -> None:
    payment = paid(world)
    dispute_id = world.dispute(name_of(payment))
    (seen,) = world.adapter.disputes_of(name_of(payment))

    assert (seen.provider_dispute_id, seen.state) == (dispute_id, "open")
    assert seen.provider_payment_id == payment.provider_payment_id
    assert (seen.amount_minor, seen.currency) == (3998, "EUR")
    assert not seen.is_refundable
    assert seen.reason
    assert seen.due_by is not None
    assert seen.due_by > seen.created_at

    world.end_dispute(dispute_id, won=end == "won")
    (seen,) = world.adapter.disputes_of(name_of(payment))
    assert seen.state == end


@scenario_of("cut", "fail", "rate_limit")
def a_look_that_fails_says_so(world: World, fault: Fault) -> None:
    payment = paid(world)
    made = world.adapter.refund(refund_request(world, payment))
    world.fault("fetch_refund", fault)
    with pytest.raises(AMBIGUITIES[fault].error):
        world.adapter.fetch_refund(made.provider_refund_id)
    for call, look in (
        ("refunds_of", world.adapter.refunds_of),
        ("disputes_of", world.adapter.disputes_of),
    ):
        world.fault(call, fault)  # type: ignore[arg-type]  # mypy reads str
        with pytest.raises(AMBIGUITIES[fault].error):
            look(name_of(payment))
