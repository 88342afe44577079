"""Events: every change is told, and reads the same when it was stored."""

import json
from dataclasses import replace

from providers.base import ProviderEvent
from tests.providers.world import (
    World,
    authorised,
    name_of,
    opened,
    paid,
    refund_request,
    scenario,
)


def last(told: list[ProviderEvent], part: str) -> ProviderEvent:
    """The newest event that holds such a part."""
    return [event for event in told if getattr(event, part)][-1]


def without_secret(event: ProviderEvent) -> ProviderEvent:
    if event.payment is None:
        return event
    return replace(event, payment=replace(event.payment, client_secret=None))


@scenario
def a_payment_is_told_from_its_opening_to_its_end(world: World) -> None:
    asked = paid(world)
    told = world.told(name_of(asked))

    assert told[0].payment is not None
    assert (told[0].payment.state, told[0].idempotency_key) == ("open", asked.key)
    assert told[0].marked_payment_id == asked.payment_id
    end = last(told, "payment").payment
    assert end is not None
    seen = world.adapter.fetch(asked)
    assert (end.state, end.received_minor, end.currency) == (
        seen.state,
        seen.received_minor,
        seen.currency,
    )
    assert {event.foreign_because for event in told} == {None}


@scenario
def a_decline_is_told_as_the_look_tells_it(world: World) -> None:
    asked = paid(world, "is_declined")
    told = last(world.told(name_of(asked)), "attempt")
    assert told.attempt == world.adapter.fetch(asked).failure


@scenario
def reserved_money_is_told_until_it_is_captured(world: World) -> None:
    asked = authorised(world)
    reserved = last(world.told(name_of(asked)), "payment").payment
    assert reserved is not None
    assert (reserved.state, reserved.received_minor) == ("authorised", 0)

    world.adapter.capture(asked)

    end = last(world.told(name_of(asked)), "payment").payment
    assert end is not None
    assert (end.state, end.received_minor) == ("succeeded", 3998)


@scenario
def the_end_of_a_payment_is_told(world: World) -> None:
    asked = opened(world)
    world.adapter.close(asked)
    end = last(world.told(name_of(asked)), "payment").payment
    assert end is not None
    assert end.state == "cancelled"


@scenario
def a_refund_is_told_with_our_mark_and_key(world: World) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    made = world.adapter.refund(asked)
    told = last(world.told(name_of(payment)), "refund")

    assert told.refund is not None
    assert replace(told.refund, raw={}) == replace(made, raw={})
    assert told.idempotency_key == asked.key
    assert told.marked_payment_id == payment.payment_id
    assert told.provider_payment_id == payment.provider_payment_id


@scenario
def a_refund_made_outside_is_told_and_not_foreign(world: World) -> None:
    payment = paid(world)
    outside = world.refund(name_of(payment), 90)
    told = last(world.told(name_of(payment)), "refund")

    assert told.refund is not None
    assert (told.refund.provider_refund_id, told.refund.marked_refund_id) == (outside, None)
    assert (told.marked_payment_id, told.foreign_because) == (None, None)


@scenario
def a_refund_that_comes_back_is_told(world: World) -> None:
    payment = paid(world)
    made = world.adapter.refund(refund_request(world, payment))
    world.end_refund(made.provider_refund_id, arrives=False)
    told = last(world.told(name_of(payment)), "refund").refund
    assert told is not None
    assert (told.state, told.marked_refund_id) == ("failed", made.marked_refund_id)


@scenario
def a_dispute_is_told_from_its_opening_to_its_end(world: World) -> None:
    payment = paid(world)
    dispute_id = world.dispute(name_of(payment))
    world.end_dispute(dispute_id, won=False)
    told = [event.dispute for event in world.told(name_of(payment)) if event.dispute]

    assert {each.provider_dispute_id for each in told} == {dispute_id}
    assert (told[0].state, told[-1].state) == ("open", "lost")
    assert replace(told[-1], raw={}) == replace(
        world.adapter.disputes_of(name_of(payment))[0], raw={}
    )


@scenario
def what_is_stored_of_an_event_reads_the_same_and_holds_no_secret(world: World) -> None:
    payment = paid(world, "is_declined")
    world.act(name_of(payment))
    world.adapter.refund(refund_request(world, payment))
    world.dispute(name_of(payment))
    secret = world.adapter.fetch(payment).client_secret or "none"

    for event in world.told(name_of(payment)):
        stored = json.loads(json.dumps(event.body))
        assert secret not in json.dumps(stored)
        assert world.adapter.read_event(stored) == without_secret(event)
