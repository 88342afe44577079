"""What is Stripe's own about the adapter, by the official SDK and HTTP against the sandbox."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import settings
from providers.base import OutcomeUnknown, ProviderError, RateLimited, Rejected
from providers.stripe import Stripe
from sandbox.servers import free_port
from tests.providers.stripe_world import StripeWorld
from tests.providers.world import (
    authorised,
    name_of,
    opened,
    paid,
    payment_request,
    refund_request,
)
from tests.sandbox.process import StripeProcess

HOUR = timedelta(hours=1)


@pytest.fixture
def world(stripe_sandbox: StripeProcess) -> Iterator[StripeWorld]:
    around = StripeWorld(stripe_sandbox)
    yield around
    around.over()


def sent(stripe_sandbox: StripeProcess, key: str) -> list[dict[str, str]]:
    """The parameters of every request that bore this key, oldest first."""
    requests = stripe_sandbox.read(f"requests?idempotency_key={key}")
    return [dict(each["params"]) for each in requests]


def test_a_payment_is_asked_for_in_these_words(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = payment_request(world)
    world.adapter.create(asked)
    assert sent(stripe_sandbox, asked.key) == [
        {
            "amount": "3998",
            "currency": "eur",
            "automatic_payment_methods[enabled]": "true",
            "description": "Order 7K2M-Q9XW-4TRB",
            "metadata[app]": "orders-test",
            "metadata[order_id]": "7",
            "metadata[payment_id]": str(asked.payment_id),
        }
    ]


def test_money_is_only_reserved_if_the_request_says_so(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = opened(world, is_captured_by_hand=True)
    assert sent(stripe_sandbox, asked.key)[0]["capture_method"] == "manual"


def test_a_capture_has_a_key_of_its_own(world: StripeWorld, stripe_sandbox: StripeProcess) -> None:
    asked = authorised(world)
    world.adapter.capture(asked)
    assert sent(stripe_sandbox, f"{asked.key}-capture") == [{}]


@pytest.mark.parametrize("reason", [None, "duplicate"])
def test_a_refund_is_asked_for_in_these_words(
    world: StripeWorld, stripe_sandbox: StripeProcess, reason: str | None
) -> None:
    payment = paid(world)
    asked = refund_request(world, payment, reason=reason)
    world.adapter.refund(asked)
    given = {"reason": reason} if reason else {}
    assert sent(stripe_sandbox, asked.key) == [
        {
            "amount": "1000",
            "payment_intent": name_of(payment),
            "metadata[app]": "orders-test",
            "metadata[order_id]": "7",
            "metadata[payment_id]": str(payment.payment_id),
            "metadata[refund_id]": str(asked.refund_id),
            **given,
        }
    ]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (402, Rejected),
        (409, OutcomeUnknown),
        (429, RateLimited),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
def test_an_error_answer_is_raised_as_what_it_means(
    world: StripeWorld, stripe_sandbox: StripeProcess, status: int, meaning: type[ProviderError]
) -> None:
    asked = payment_request(world)
    stripe_sandbox.fault("payment_intents.create", "fail_before", status=status)
    with pytest.raises(ProviderError) as failed:
        world.adapter.create(asked)
    assert type(failed.value) is meaning
    assert world.opened(asked) == []


@pytest.mark.parametrize("seconds", [None, 7])
def test_a_locked_object_is_a_rate_limit_and_may_say_how_long(
    world: StripeWorld, stripe_sandbox: StripeProcess, seconds: int | None
) -> None:
    fault = {"status": 429, "code": "lock_timeout", "retry_after": seconds}
    payment = paid(world)
    stripe_sandbox.fault("refunds.create", "fail_before", **fault)
    with pytest.raises(RateLimited) as refused:
        world.adapter.refund(refund_request(world, payment))
    assert refused.value.retry_after == seconds
    assert world.refunded(name_of(payment)) == []


def test_too_many_requests_of_one_kind_are_refused_and_nothing_happened(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = [payment_request(world) for _ in range(20)]
    stripe_sandbox.control("config", {"requests_per_second": 1})
    try:
        with pytest.raises(RateLimited) as refused:
            deque(map(world.adapter.create, asked), maxlen=0)
    finally:
        stripe_sandbox.control("config", {"requests_per_second": None})
    assert refused.value.retry_after == 1
    assert [] in [world.opened(each) for each in asked]


@pytest.mark.parametrize("hours", [22, 23, 23.9])
def test_a_key_that_may_soon_be_forgotten_opens_and_gives_back_nothing_more(
    world: StripeWorld, hours: float
) -> None:
    age = timedelta(hours=hours)
    payment = payment_request(world, age=age)
    with pytest.raises(OutcomeUnknown, match="forgotten"):
        world.adapter.create(payment)
    assert world.opened(payment) == []

    done = paid(world)
    refund = refund_request(world, done, age=age)
    with pytest.raises(OutcomeUnknown, match="forgotten"):
        world.adapter.refund(refund)
    assert world.refunded(name_of(done)) == []


def test_what_a_key_did_before_it_may_be_forgotten_is_found(world: StripeWorld) -> None:
    payment = paid(world)
    asked = refund_request(world, payment)
    first = world.adapter.refund(asked)
    late = 23 * HOUR
    assert world.adapter.create(replace(payment, age=late)).state == "succeeded"
    assert world.adapter.refund(replace(asked, age=late)) == first


def test_a_saved_failure_ends_once_the_search_knows_the_payment(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = payment_request(world)
    world.fault("create", "saved_failure")
    unknown = replace(asked, is_unknown=True)
    stripe_sandbox.control("config", {"search_lag_seconds": 3600})
    try:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                world.adapter.create(unknown)
    finally:
        stripe_sandbox.control("config", {"search_lag_seconds": 0})

    assert world.opened(asked) == [world.adapter.create(unknown).provider_payment_id]


def test_without_the_look_up_a_saved_failure_would_be_repeated(world: StripeWorld) -> None:
    asked = payment_request(world)
    world.fault("create", "saved_failure")
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            world.adapter.create(asked)
    assert len(world.opened(asked)) == 1


def test_a_wrong_key_of_ours_is_a_rejection(world: StripeWorld) -> None:
    adapter = Stripe(replace(settings.current(), stripe_secret_key="sk_test_of_somebody_else"))
    with pytest.raises(Rejected, match="AuthenticationError"):
        adapter.create(payment_request(world))


def test_one_key_for_two_requests_is_a_rejection(world: StripeWorld) -> None:
    asked = payment_request(world)
    world.adapter.create(asked)
    with pytest.raises(Rejected, match="IdempotencyError"):
        world.adapter.create(replace(asked, amount_minor=1))


@pytest.mark.parametrize(
    ("amount", "code"), [(1000, "charge_disputed"), (3998, "charge_already_refunded")]
)
def test_a_refused_refund_names_stripes_code(world: StripeWorld, amount: int, code: str) -> None:
    payment = paid(world)
    if code == "charge_disputed":
        world.dispute(name_of(payment))
    else:
        world.refund(name_of(payment), 3998)
    with pytest.raises(Rejected, match=f"^{code}: "):
        world.adapter.refund(refund_request(world, payment, amount_minor=amount))


def test_a_capture_that_stripe_refuses_and_that_is_still_to_be_had_is_an_error(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = authorised(world)
    stripe_sandbox.fault("payment_intents.capture", "fail_before", status=402)
    with pytest.raises(Rejected):
        world.adapter.capture(asked)


def test_a_provider_that_cannot_be_reached_is_an_unknown_outcome(world: StripeWorld) -> None:
    nowhere = f"http://127.0.0.1:{free_port(None)}"
    with pytest.raises(OutcomeUnknown):
        Stripe(replace(settings.current(), stripe_api_base=nowhere)).create(payment_request(world))


def test_an_answer_that_takes_too_long_is_an_unknown_outcome(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    hasty = Stripe(replace(settings.current(), provider_deadline_seconds=0.2))
    stripe_sandbox.fault("payment_intents.create", "delay", seconds=60)
    with pytest.raises(OutcomeUnknown):
        hasty.create(payment_request(world))


@pytest.mark.parametrize(
    ("currency", "minor", "in_stripes_units"),
    [("JPY", 500, 500), ("KWD", 1500, 1500), ("ISK", 1500, 150000), ("MGA", 500000, 5000)],
)
def test_an_amount_is_sent_in_stripes_units_and_read_back_in_ours(
    world: StripeWorld,
    stripe_sandbox: StripeProcess,
    currency: str,
    minor: int,
    in_stripes_units: int,
) -> None:
    asked = payment_request(world, amount_minor=minor, currency=currency)
    answer = world.adapter.create(asked)
    assert sent(stripe_sandbox, asked.key)[0]["amount"] == str(in_stripes_units)
    assert (answer.amount_minor, answer.currency) == (minor, currency)
    payment = replace(asked, provider_payment_id=answer.provider_payment_id)
    world.act(name_of(payment))
    world.adapter.refund(refund_request(world, payment, amount_minor=minor))
    assert world.refunded(name_of(payment)) == [minor]


def test_an_amount_that_stripe_cannot_say_is_refused_and_not_rounded(world: StripeWorld) -> None:
    asked: Any = {"amount_minor": 500_001, "currency": "MGA"}
    with pytest.raises(Rejected):
        world.adapter.create(payment_request(world, **asked))
    with pytest.raises(Rejected):
        world.adapter.refund(refund_request(world, paid(world), **asked))
