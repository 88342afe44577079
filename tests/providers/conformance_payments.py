"""Payments: opened once, looked at, closed, captured once, whatever becomes of the answers."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.intents import PaymentState
from providers.base import OutcomeUnknown, RateLimited, Rejected
from tests.providers.world import (
    AMBIGUITIES,
    Behaviour,
    Fault,
    World,
    agreed,
    authorised,
    name_of,
    opened,
    paid,
    pay,
    payment_request,
    scenario,
    scenario_if,
    scenario_of,
    shown,
)

HOUR = timedelta(hours=1)


@scenario
def a_payment_is_opened_with_its_amount_and_a_way_to_pay_that_is_not_stored(world: World) -> None:
    asked = payment_request(world)
    seen = world.adapter.create(asked)

    assert (seen.state, seen.amount_minor, seen.received_minor) == (world.opens_as, 3998, 0)
    assert (seen.currency, seen.is_live) == ("EUR", False)
    way_to_pay = seen.client_secret or seen.redirect_url
    assert way_to_pay
    assert way_to_pay not in str(seen.raw)
    assert world.opened(asked) == [seen.provider_payment_id]


@scenario
def a_repetition_opens_no_second_payment_and_brings_the_same_answer(world: World) -> None:
    asked = payment_request(world)
    assert world.adapter.create(asked) == world.adapter.create(asked)
    assert len(world.opened(asked)) == 1


@scenario_of(*AMBIGUITIES)
def whatever_becomes_of_the_answer_one_payment_is_opened(world: World, fault: Fault) -> None:
    asked, ambiguity = payment_request(world), AMBIGUITIES[fault]
    world.fault("create", fault)
    with pytest.raises(ambiguity.error):
        world.adapter.create(asked)
    assert len(world.opened(asked)) == ambiguity.happened

    asked = replace(asked, is_unknown=ambiguity.error is OutcomeUnknown)
    names = {world.adapter.create(asked).provider_payment_id for _ in range(2)}

    assert list(names) == world.opened(asked)


@scenario
def a_worker_that_died_before_it_heard_the_answer_opens_no_second_payment(world: World) -> None:
    asked = payment_request(world)
    world.fault("create", "accept_then_cut")
    with pytest.raises(OutcomeUnknown):
        world.adapter.create(asked)
    assert world.opened(asked) == [world.adapter.create(asked).provider_payment_id]


@scenario
def a_look_up_that_fails_opens_nothing(world: World) -> None:
    asked = payment_request(world, is_unknown=True, age=world.key_memory + HOUR)
    world.fault("find", "cut")
    with pytest.raises(OutcomeUnknown):
        world.adapter.create(asked)
    assert world.opened(asked) == []


@scenario
def past_the_memory_of_the_key_a_payment_is_found_and_not_opened_again(world: World) -> None:
    asked = payment_request(world)
    first = world.adapter.create(asked)
    if "finds_unpaid" not in world.habits:
        pay(world, replace(asked, provider_payment_id=first.provider_payment_id))
    world.later(world.key_memory + HOUR)

    again = world.adapter.create(replace(asked, age=world.key_memory + HOUR))

    assert again.provider_payment_id == first.provider_payment_id
    assert len(world.opened(asked)) == 1
    if "finds_unpaid" in world.habits:
        assert again.client_secret == first.client_secret


@scenario
def without_the_look_up_a_forgotten_key_would_open_a_second_payment(world: World) -> None:
    asked = payment_request(world)
    world.adapter.create(asked)
    world.later(world.key_memory + HOUR)
    world.adapter.create(asked)  # as if it had just been sent for the first time
    assert len(world.opened(asked)) == 2


@scenario
def what_is_old_and_never_arrived_is_opened_once(world: World) -> None:
    asked = payment_request(world, age=world.key_memory + HOUR)
    names = {world.adapter.create(asked).provider_payment_id for _ in range(2)}
    assert list(names) == world.opened(asked)


@scenario
def a_payment_is_found_by_our_mark_or_not_at_all(world: World) -> None:
    asked = opened(world) if "finds_unpaid" in world.habits else paid(world)
    found = world.adapter.find(asked)
    assert found is not None
    assert found.provider_payment_id == asked.provider_payment_id
    assert world.adapter.find(payment_request(world)) is None


@scenario_of(
    ("pays", "succeeded", 3998),
    ("is_declined", "open", 0),
)
def a_look_tells_how_the_payment_is(
    world: World, case: tuple[Behaviour, PaymentState, int]
) -> None:
    behaviour, state, received = case
    seen = pay(world, opened(world), behaviour)
    assert (seen.state, seen.received_minor, seen.amount_minor) == (state, received, 3998)
    assert bool(seen.failure) == (behaviour == "is_declined")


@scenario_if("takes_its_time")
def a_look_tells_that_money_is_on_its_way(world: World) -> None:
    seen = pay(world, opened(world), "pays_slowly")
    assert (seen.state, seen.received_minor) == ("processing", 0)


@scenario_if("challenges")
def a_look_tells_that_the_buyer_must_prove_something(world: World) -> None:
    seen = world.adapter.fetch(paid(world, "is_challenged"))
    assert (seen.state, seen.received_minor) == ("requires_action", 0)


@scenario
def a_decline_says_why_and_the_buyer_may_try_again(world: World) -> None:
    asked = opened(world)
    failure = pay(world, asked, "is_declined").failure
    assert failure is not None
    assert failure.code
    assert failure.message
    if "tries_again" in world.habits:
        assert failure.charge_id
        assert pay(world, asked).state == "succeeded"


@scenario
def a_payment_without_a_name_can_be_neither_looked_at_nor_closed_nor_captured(
    world: World,
) -> None:
    for call in (world.adapter.fetch, world.adapter.close, world.adapter.capture):
        with pytest.raises(Rejected):
            call(payment_request(world))


@scenario
def an_open_payment_is_closed_once_and_for_all(world: World) -> None:
    asked = opened(world)
    assert [world.adapter.close(asked).state for _ in range(2)] == ["cancelled"] * 2
    if "closes" in world.habits:
        assert world.adapter.fetch(asked).state == "cancelled"


@scenario
def closing_tells_of_a_payment_that_is_paid(world: World) -> None:
    closed = world.adapter.close(paid(world))
    assert (closed.state, closed.received_minor) == ("succeeded", 3998)


@scenario_if("takes_its_time")
def closing_does_not_disturb_money_in_flight(world: World) -> None:
    asked = paid(world, "pays_slowly")
    assert world.adapter.close(asked).state == "processing"
    world.finish(name_of(asked))
    assert world.adapter.close(asked).state == "succeeded"


@scenario
def closing_releases_reserved_money(world: World) -> None:
    asked = authorised(world)
    assert world.adapter.close(asked).state == "cancelled"
    assert world.adapter.fetch(asked).state == "cancelled"
    assert world.captured(name_of(asked)) == 0


@scenario_of(*AMBIGUITIES)
def whatever_becomes_of_the_answer_a_payment_is_closed(world: World, fault: Fault) -> None:
    asked = opened(world)
    world.fault("close", fault)
    with pytest.raises(AMBIGUITIES[fault].error):
        world.adapter.close(asked)
    assert world.adapter.close(asked).state == "cancelled"


@scenario_if("dates_reservations")
def reserved_money_says_until_when_it_can_be_captured(world: World) -> None:
    seen = world.adapter.fetch(authorised(world))
    assert (seen.state, seen.received_minor) == ("authorised", 0)
    assert seen.capture_before is not None
    assert seen.capture_before > datetime.now(UTC) + HOUR


@scenario
def what_the_buyer_agreed_to_is_reserved_whole_and_once(world: World) -> None:
    asked = agreed(world)
    before = world.adapter.fetch(asked)
    assert before.state == "authorised"
    assert before.is_agreed_only == ("reserves_on_demand" in world.habits)
    for _ in range(2):
        seen = world.adapter.reserve(asked)
        assert (seen.state, seen.is_agreed_only, seen.received_minor) == ("authorised", False, 0)
    assert world.captured(name_of(asked)) == 0


@scenario_of(*AMBIGUITIES, needs="reserves_on_demand")
def whatever_becomes_of_the_answer_money_is_reserved_once(world: World, fault: Fault) -> None:
    asked, ambiguity = agreed(world), AMBIGUITIES[fault]
    world.fault("reserve", fault)
    if ambiguity.happened:  # a look shows it at once
        assert not world.adapter.reserve(asked).is_agreed_only
    else:
        with pytest.raises(ambiguity.error):
            world.adapter.reserve(asked)
        assert world.adapter.fetch(asked).is_agreed_only

    assert world.adapter.reserve(asked).state == "authorised"
    assert world.adapter.capture(asked).state == "succeeded"
    assert world.captured(name_of(asked)) == 3998


@scenario_if("reserves_on_demand")
def what_was_only_agreed_to_is_captured_whole_and_once(world: World) -> None:
    asked = agreed(world)
    assert [world.adapter.capture(asked).state for _ in range(2)] == ["succeeded"] * 2
    assert world.captured(name_of(asked)) == 3998


@scenario_if("reserves_on_demand")
def a_decline_on_reserving_says_why_and_the_buyer_may_try_again(world: World) -> None:
    asked = agreed(world, "is_declined")
    refused = world.adapter.reserve(asked)
    assert (refused.state, refused.is_agreed_only) == ("open", False)
    assert refused.failure
    world.act(name_of(asked))
    assert world.adapter.reserve(asked).state == "authorised"


@scenario_if("reserves_on_demand")
def what_was_only_agreed_to_is_closed_without_a_call_to_let_go(world: World) -> None:
    asked = agreed(world)
    assert world.adapter.close(asked).state == "cancelled"
    assert world.captured(name_of(asked)) == 0


@scenario_of(*AMBIGUITIES, needs="reserves_on_demand")
def whatever_becomes_of_the_answer_a_captured_approval_is_captured_once(
    world: World, fault: Fault
) -> None:
    asked, ambiguity = opened(world), AMBIGUITIES[fault]
    world.act(name_of(asked))
    world.fault("capture", fault)
    if ambiguity.happened:
        assert world.adapter.capture(asked).state == "succeeded"
    else:
        with pytest.raises(ambiguity.error):
            world.adapter.capture(asked)
    assert world.adapter.capture(asked).state == "succeeded"
    assert world.captured(name_of(asked)) == 3998


@scenario
def reserved_money_is_captured_whole_and_once(world: World) -> None:
    asked = authorised(world)
    for _ in range(2):
        captured = world.adapter.capture(asked)
        assert (captured.state, captured.received_minor) == ("succeeded", 3998)
        assert captured.capture_before is None
    assert world.captured(name_of(asked)) == 3998


@scenario_of(*AMBIGUITIES)
def whatever_becomes_of_the_answer_money_is_captured_once(world: World, fault: Fault) -> None:
    asked, ambiguity = authorised(world), AMBIGUITIES[fault]
    world.fault("capture", fault)
    if ambiguity.happened:  # a look shows it at once
        assert world.adapter.capture(asked).state == "succeeded"
    else:
        with pytest.raises(ambiguity.error):
            world.adapter.capture(asked)
        assert world.captured(name_of(asked)) == 0

    assert world.adapter.capture(asked).state == "succeeded"
    assert world.captured(name_of(asked)) == 3998


@scenario
def a_capture_that_comes_too_late_tells_how_the_payment_is(world: World) -> None:
    asked = authorised(world)
    world.adapter.close(asked)
    assert world.adapter.capture(asked).state == "cancelled"
    assert world.captured(name_of(asked)) == 0


@scenario
def our_payments_are_listed_newest_first_with_both_ends_of_a_time(world: World) -> None:
    since = datetime.fromtimestamp(int(time.time()), UTC) + timedelta(days=2)
    moments = [since - HOUR, since + HOUR, since + 2 * HOUR, since + 4 * HOUR]
    asked = []
    for moment in moments:
        world.later(moment - datetime.now(UTC))
        asked.append(paid(world))

    pages = list(world.adapter.list_since(since, since + 3 * HOUR))
    ours = [each for each in shown(pages) if each.payment_id in [one.payment_id for one in asked]]

    assert [each.payment_id for each in ours] == [asked[2].payment_id, asked[1].payment_id]
    assert {(each.state, each.received_minor) for each in ours} == {("succeeded", 3998)}
    assert all(since <= each.created_at <= since + 3 * HOUR for each in ours)
    assert since <= pages[-1].reaches <= ours[-1].created_at
    assert asked[3].payment_id in [
        each.payment_id for each in shown(world.adapter.list_since(since))
    ]


@scenario
def a_refused_call_says_how_long_to_wait(world: World) -> None:
    world.fault("fetch", "rate_limit")
    with pytest.raises(RateLimited) as refused:
        world.adapter.fetch(opened(world))
    assert refused.value.retry_after == 2
