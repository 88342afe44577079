"""Events: every change is told, and reads the same when it was stored."""

import json
from dataclasses import replace
from typing import Any

from providers.base import ProviderEvent
from tests.providers.world import (
    World,
    authorised,
    name_of,
    opened,
    paid,
    pay,
    refund_request,
    scenario,
    scenario_if,
)

UNNAMED: Any = {"raw": {}, "provider_payment_id": None}
"""An event need not say what it is about by the provider's id: our mark is enough."""


def last(told: list[ProviderEvent], part: str) -> ProviderEvent:
    """The newest event that holds such a part."""
    return [event for event in told if getattr(event, part)][-1]


def without_secret(event: ProviderEvent) -> ProviderEvent:
    if event.payment is None:
        return event
    payment = replace(event.payment, client_secret=None, redirect_url=None)
    return replace(event, payment=payment)


@scenario
def a_payment_is_told_from_its_opening_to_its_end(world: World) -> None:
    asked = paid(world)
    told = world.told(name_of(asked))

    assert {event.marked_payment_id for event in told} == {asked.payment_id}
    if "tells_all" in world.habits:
        assert told[0].payment is not None
        assert (told[0].payment.state, told[0].idempotency_key) == (
            "open",
            asked.key,
        )
    end = last(told, "payment").payment
    assert end is not None
    seen = world.adapter.fetch(asked)
    assert (end.state, end.received_minor, end.currency) == (
        seen.state,
        seen.received_minor,
        seen.currency,
    )
    assert {event.foreign_because for event in told} == {None}


@scenario_if("tells_declines")
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


@scenario_if("tells_all")
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
    assert replace(told.refund, **UNNAMED) == replace(made, **UNNAMED)
    assert told.idempotency_key in (asked.key, None)
    assert told.marked_payment_id == payment.payment_id
    assert told.provider_payment_id in (payment.provider_payment_id, None)


@scenario
def a_refund_made_outside_is_told_and_not_foreign(world: World) -> None:
    payment = paid(world)
    outside = world.refund(name_of(payment), 90)
    told = last(world.told(name_of(payment)), "refund")

    assert told.refund is not None
    assert (told.refund.provider_refund_id, told.refund.marked_refund_id) == (outside, None)
    assert told.foreign_because is None
    named = (told.provider_payment_id, told.marked_payment_id)
    assert payment.provider_payment_id in named or payment.payment_id in named


@scenario_if("refunds_slowly")
def a_refund_that_fails_is_told(world: World) -> None:
    payment = paid(world, "is_refunded_slowly")
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
    (seen,) = world.adapter.disputes_of(name_of(payment))
    assert replace(told[-1], **UNNAMED) == replace(seen, **UNNAMED)


@scenario
def what_is_stored_of_an_event_reads_the_same_and_holds_no_secret(world: World) -> None:
    payment = opened(world)
    seen = world.adapter.fetch(payment)
    if "tries_again" in world.habits:
        pay(world, payment, "is_declined")
    pay(world, payment)
    world.adapter.refund(refund_request(world, payment))
    world.dispute(name_of(payment))

    for event in world.told(name_of(payment)):
        stored = json.loads(json.dumps(event.body))
        for secret in filter(None, (seen.client_secret, seen.redirect_url)):
            assert secret not in json.dumps(stored)
        assert world.adapter.read_event(stored) == without_secret(event)
