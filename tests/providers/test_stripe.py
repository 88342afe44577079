"""The Stripe adapter against the real sandbox, by the official SDK and HTTP."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe

import settings
from models.intents import PaymentRequest, PaymentSnapshot
from providers.base import OutcomeUnknown, ProviderError, RateLimited, Rejected
from providers.stripe import Stripe
from sandbox.servers import free_port
from tests.sandbox.process import StripeProcess
from tests.stripe_spec import ValidatingHTTPClient, needs_spec


@pytest.fixture
def adapter(stripe_sandbox: StripeProcess) -> Stripe:
    return Stripe(settings.current())


def request(**changes: Any) -> PaymentRequest:
    """A request that no other test has made."""
    number = secrets.randbelow(10**15)
    plain = PaymentRequest(
        payment_id=number,
        order_id=7,
        order_number="7K2M-Q9XW-4TRB",
        provider="stripe",
        provider_payment_id=None,
        amount_minor=3998,
        currency="EUR",
        key=f"test-pi-{number}",
        age=timedelta(0),
    )
    return replace(plain, **changes)


def opened(adapter: Stripe) -> PaymentRequest:
    """A request for a payment that is open at the provider."""
    asked = request()
    return replace(asked, provider_payment_id=adapter.create(asked).provider_payment_id)


def intents_of(stripe_sandbox: StripeProcess, asked: PaymentRequest) -> list[str]:
    """The provider's ids of what was opened for a request."""
    return [
        intent["id"]
        for intent in stripe_sandbox.ledger()["payment_intents"]
        if intent["metadata"].get("payment_id") == str(asked.payment_id)
    ]


def act(stripe_sandbox: StripeProcess, asked: PaymentRequest, verb: str, **given: str) -> None:
    """Do what a buyer, a bank or the dashboard does to the payment."""
    stripe_sandbox.control(f"payment_intents/{asked.provider_payment_id}/{verb}", given)


def test_a_payment_is_opened_with_our_mark_and_its_secret(
    adapter: Stripe, stripe_sandbox: StripeProcess
) -> None:
    asked = request()
    answer = adapter.create(asked)

    assert answer == PaymentSnapshot(
        provider_payment_id=answer.provider_payment_id,
        state="open",
        amount_minor=3998,
        received_minor=0,
        currency="EUR",
        is_live=False,
        client_secret=answer.client_secret,
        raw=answer.raw,
    )
    assert (answer.client_secret or "").startswith(f"{answer.provider_payment_id}_secret_")
    assert "_secret_" not in str(answer.raw)
    (intent,) = (
        each
        for each in stripe_sandbox.ledger()["payment_intents"]
        if each["id"] == answer.provider_payment_id
    )
    assert intent["metadata"] == {
        "app": "orders-test",
        "order_id": "7",
        "payment_id": str(asked.payment_id),
    }


def test_a_repetition_opens_no_second_payment_and_brings_the_same_answer(
    adapter: Stripe, stripe_sandbox: StripeProcess
) -> None:
    asked = request()
    assert adapter.create(asked) == adapter.create(asked)
    assert len(intents_of(stripe_sandbox, asked)) == 1


def test_a_lost_answer_is_an_unknown_outcome_and_the_repetition_finds_the_payment(
    adapter: Stripe, stripe_sandbox: StripeProcess
) -> None:
    asked = request()
    stripe_sandbox.fault("payment_intents.create", "accept_then_cut")
    with pytest.raises(OutcomeUnknown):
        adapter.create(asked)
    assert intents_of(stripe_sandbox, asked) == [adapter.create(asked).provider_payment_id]


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
    adapter: Stripe, stripe_sandbox: StripeProcess, status: int, meaning: type[ProviderError]
) -> None:
    asked = request()
    stripe_sandbox.fault("payment_intents.create", "fail_before", status=status)
    with pytest.raises(ProviderError) as failed:
        adapter.create(asked)
    assert type(failed.value) is meaning
    assert intents_of(stripe_sandbox, asked) == []


def test_a_wrong_key_of_ours_is_a_rejection(stripe_sandbox: StripeProcess) -> None:
    adapter = Stripe(replace(settings.current(), stripe_secret_key="sk_test_of_somebody_else"))
    with pytest.raises(Rejected):
        adapter.create(request())


def test_one_key_for_two_requests_is_a_rejection(adapter: Stripe) -> None:
    asked = request()
    adapter.create(asked)
    with pytest.raises(Rejected):
        adapter.create(replace(asked, amount_minor=1))


def test_a_provider_that_cannot_be_reached_is_an_unknown_outcome() -> None:
    nowhere = f"http://127.0.0.1:{free_port(None)}"
    with pytest.raises(OutcomeUnknown):
        Stripe(replace(settings.current(), stripe_api_base=nowhere)).create(request())


def test_an_answer_that_takes_too_long_is_an_unknown_outcome(
    stripe_sandbox: StripeProcess,
) -> None:
    asked = request()
    hasty = Stripe(replace(settings.current(), provider_deadline_seconds=0.2))
    stripe_sandbox.fault("payment_intents.create", "delay", seconds=60)
    with pytest.raises(OutcomeUnknown):
        hasty.create(asked)


@pytest.fixture
def a_day_later(stripe_sandbox: StripeProcess) -> Iterator[timedelta]:
    """Let the provider's clock be 25 hours on when the test asks for it, and back at its end."""
    later = timedelta(hours=25)
    yield later
    stripe_sandbox.control("clock", {"advance_seconds": -int(later.total_seconds())})


def advance(stripe_sandbox: StripeProcess, by: timedelta) -> None:
    stripe_sandbox.control("clock", {"advance_seconds": int(by.total_seconds())})


def test_past_the_memory_of_the_key_the_payment_is_searched_for_and_not_opened_again(
    adapter: Stripe, stripe_sandbox: StripeProcess, a_day_later: timedelta
) -> None:
    asked = request()
    first = adapter.create(asked)
    advance(stripe_sandbox, a_day_later)

    again = adapter.create(replace(asked, age=a_day_later))

    assert again.provider_payment_id == first.provider_payment_id
    assert again.client_secret == first.client_secret
    assert len(intents_of(stripe_sandbox, asked)) == 1


def test_without_the_search_a_forgotten_key_would_open_a_second_payment(
    adapter: Stripe, stripe_sandbox: StripeProcess, a_day_later: timedelta
) -> None:
    asked = request()
    adapter.create(asked)
    advance(stripe_sandbox, a_day_later)
    adapter.create(asked)  # as if it had just been sent for the first time
    assert len(intents_of(stripe_sandbox, asked)) == 2


def test_what_is_old_and_never_arrived_is_opened(
    adapter: Stripe, stripe_sandbox: StripeProcess
) -> None:
    asked = request(age=timedelta(hours=25))
    assert intents_of(stripe_sandbox, asked) == []
    created = adapter.create(asked)
    assert intents_of(stripe_sandbox, asked) == [created.provider_payment_id]


@pytest.mark.parametrize(
    ("payment_method", "state", "received"),
    [(None, "cancelled", 0), ("pm_card_visa", "succeeded", 3998)],
)
def test_closing_ends_an_open_payment_and_tells_of_one_that_is_paid(
    adapter: Stripe,
    stripe_sandbox: StripeProcess,
    payment_method: str | None,
    state: str,
    received: int,
) -> None:
    asked = opened(adapter)
    if payment_method:
        act(stripe_sandbox, asked, "pay", payment_method=payment_method)
    for _ in range(2):
        closed = adapter.close(asked)
        assert (closed.state, closed.received_minor) == (state, received)
    assert adapter.fetch(asked).state == state


def test_closing_does_not_disturb_money_in_flight(
    adapter: Stripe, stripe_sandbox: StripeProcess
) -> None:
    asked = opened(adapter)
    act(stripe_sandbox, asked, "pay", payment_method="pm_card_processing")
    assert adapter.close(asked).state == "processing"
    act(stripe_sandbox, asked, "finish_processing")
    assert adapter.close(asked).state == "succeeded"


def test_a_look_tells_of_a_decline_and_why(adapter: Stripe, stripe_sandbox: StripeProcess) -> None:
    asked = opened(adapter)
    act(stripe_sandbox, asked, "decline", payment_method="pm_card_chargeDeclinedInsufficientFunds")
    seen = adapter.fetch(asked)
    assert seen.state == "open"
    assert seen.failure is not None
    assert (seen.failure.code, bool(seen.failure.charge_id)) == ("insufficient_funds", True)
    assert "_secret_" not in str(seen.raw)


def test_a_payment_without_a_name_can_be_neither_looked_at_nor_closed(adapter: Stripe) -> None:
    for call in (adapter.fetch, adapter.close):
        with pytest.raises(Rejected):
            call(request())


@pytest.mark.parametrize(
    ("currency", "minor", "sent"),
    [
        ("EUR", 1999, 1999),
        ("JPY", 500, 500),
        ("KWD", 1500, 1500),
        ("ISK", 1500, 150000),
        ("UGX", 5000, 500000),
        ("MGA", 500000, 5000),
    ],
)
def test_an_amount_is_sent_in_stripes_units_and_read_back_in_ours(
    adapter: Stripe, stripe_sandbox: StripeProcess, currency: str, minor: int, sent: int
) -> None:
    answer = adapter.create(request(amount_minor=minor, currency=currency))
    (amount,) = (
        intent["amount"]
        for intent in stripe_sandbox.ledger()["payment_intents"]
        if intent["id"] == answer.provider_payment_id
    )
    assert amount == sent
    assert (answer.amount_minor, answer.currency) == (minor, currency)


def test_an_amount_that_stripe_cannot_say_is_refused_and_not_rounded(adapter: Stripe) -> None:
    with pytest.raises(Rejected):
        adapter.create(request(amount_minor=500_001, currency="MGA"))


@needs_spec
def test_every_call_and_answer_is_one_that_stripe_knows(
    monkeypatch: pytest.MonkeyPatch, stripe_sandbox: StripeProcess
) -> None:
    monkeypatch.setattr(stripe, "RequestsClient", ValidatingHTTPClient)
    judged = Stripe(settings.current())
    asked = opened(judged)
    judged.create(replace(asked, age=timedelta(hours=25)))
    judged.fetch(asked)
    act(stripe_sandbox, asked, "pay")
    judged.close(asked)
    judged.close(opened(judged))
