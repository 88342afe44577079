"""What a conformance scenario is given: an adapter, and the world around its provider.

A provider joins the suite by a class that implements `World` and a test module that runs the
`scenarios` of its habits, as `test_stripe_conformance` does.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import pytest

from models.intents import PaymentRequest, PaymentSnapshot, PaymentState, RefundRequest
from providers.base import (
    OutcomeUnknown,
    Page,
    PaymentProvider,
    ProviderError,
    ProviderEvent,
    RateLimited,
)

T = TypeVar("T")
Call = Literal[
    "create",
    "find",
    "fetch",
    "close",
    "reserve",
    "capture",
    "refund",
    "refunds_of",
    "fetch_refund",
    "disputes_of",
]
Fault = Literal["cut", "accept_then_cut", "fail", "saved_failure", "conflict", "rate_limit"]
Refusal = Literal["refunded", "disputed"]
Habit = Literal[
    "closes",
    "finds_unpaid",
    "challenges",
    "tells_all",
    "tells_declines",
    "takes_refunds_back",
    "doubles_refunds",
    "takes_its_time",
    "refunds_slowly",
    "tries_again",
    "dates_reservations",
    "reserves_on_demand",
]
"""What only some providers do, in a world's `habits` if its provider does:

- `closes`: closes a payment for good when it is asked to; others take none unless we capture it
- `finds_unpaid`: finds a payment by our mark before anybody has paid it
- `challenges`: has a state of its own for a buyer who must prove something
- `tells_all`: has an event for each change, also for the opening and the closing
- `tells_declines`: and for each try that was declined
- `takes_refunds_back`: may let a refund fail that had arrived
- `takes_its_time`: may say only later whether money comes
- `refunds_slowly`: may say only later whether a refund arrives
- `tries_again`: lets a buyer who was declined try again, and names each try
- `dates_reservations`: says until when reserved money can be captured
- `reserves_on_demand`: reserves what the buyer has agreed to only when it is asked to
- `doubles_refunds`: makes a refund again whose key it has forgotten
"""
Behaviour = Literal["pays", "is_declined", "is_challenged", "pays_slowly", "is_refunded_slowly"]


@dataclass(frozen=True)
class Ambiguity:
    """What the caller learns of a fault, and whether the call had its effect all the same."""

    error: type[ProviderError]
    happened: bool


AMBIGUITIES: Mapping[Fault, Ambiguity] = {
    "cut": Ambiguity(OutcomeUnknown, happened=False),
    "accept_then_cut": Ambiguity(OutcomeUnknown, happened=True),
    "fail": Ambiguity(OutcomeUnknown, happened=False),
    "saved_failure": Ambiguity(OutcomeUnknown, happened=True),
    "conflict": Ambiguity(OutcomeUnknown, happened=False),
    "rate_limit": Ambiguity(RateLimited, happened=False),
}


class World(Protocol):
    """A provider as buyers, banks and its dashboard see it. Ids are the provider's."""

    name: str
    key_memory: timedelta
    """For how long the provider knows the key of a payment at least; it forgets it then."""
    refund_key_memory: timedelta
    """The same of the key of a refund."""
    habits: frozenset[Habit]
    opens_as: PaymentState
    """How a payment is that nobody has tried to pay yet."""
    way: Mapping[str, Any]
    """What a request says of how to pay, besides the amount."""
    refusals: Mapping[Refusal, str]
    """In which word it refuses a refund of what is refunded already, or disputed."""

    @property
    def adapter(self) -> PaymentProvider:
        """What is tried."""

    def act(self, payment_id: str, behaviour: Behaviour = "pays") -> None:
        """Let the buyer try to pay, or agree to."""

    def finish(self, payment_id: str) -> None:
        """Let a slow payment arrive."""

    def refund(self, payment_id: str, amount_minor: int) -> str:
        """Give money back in the dashboard; the refund's id."""

    def end_refund(self, refund_id: str, *, arrives: bool) -> None:
        """Let a refund arrive, or come back."""

    def dispute(self, payment_id: str) -> str:
        """Let the buyer's bank take the money back; the dispute's id."""

    def end_dispute(self, dispute_id: str, *, won: bool) -> None:
        """Let somebody win."""

    def fault(self, call: Call, fault: Fault) -> None:
        """Let the next of these calls go wrong."""

    def later(self, by: timedelta) -> None:
        """Move the provider's clock, until the scenario ends."""

    def opened(self, request: PaymentRequest) -> list[str]:
        """The payments that bear the request's mark, by the provider's own books."""

    def captured(self, payment_id: str) -> int:
        """How much the provider took, by its own books, in minor units."""

    def refunded(self, payment_id: str) -> list[int]:
        """What it gave back, refund by refund, by its own books."""

    def told(self, payment_id: str) -> list[ProviderEvent]:
        """What its events told of a payment, oldest first, as the adapter reads them."""


_SCENARIOS: list[tuple[Habit | None, Any]] = []


def scenarios(habits: frozenset[Habit]) -> list[Any]:
    """All that hold for every provider, and those that need one of these habits."""
    return [each for needed, each in _SCENARIOS if needed is None or needed in habits]


def scenario(function: Callable[[World], None]) -> Callable[[World], None]:
    """Add a scenario to the suite."""
    _SCENARIOS.append((None, pytest.param(function, id=function.__name__)))
    return function


def scenario_if(habit: Habit) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Add a scenario for the providers that have this habit."""

    def add(function: Callable[[World], None]) -> Callable[[World], None]:
        _SCENARIOS.append((habit, pytest.param(function, id=function.__name__)))
        return function

    return add


def scenario_of(
    *cases: Any, needs: Habit | None = None
) -> Callable[[Callable[[World, Any], None]], Callable[[World, Any], None]]:
    """Add a scenario for each of these cases, which is given as its second argument."""

    def add(function: Callable[[World, Any], None]) -> Callable[[World, Any], None]:
        for case in cases:
            run = partial(_run, function, case)
            _SCENARIOS.append((needs, pytest.param(run, id=f"{function.__name__}-{case}")))
        return function

    return add


def _run(function: Callable[[World, Any], None], case: Any, world: World) -> None:
    function(world, case)


def payment_request(world: World, **changes: Any) -> PaymentRequest:
    """A request that nobody has made before."""
    number = secrets.randbelow(10**15)
    plain = PaymentRequest(
        payment_id=number,
        order_id=7,
        order_number="7K2M-Q9XW-4TRB",
        provider=world.name,
        provider_payment_id=None,
        amount_minor=3998,
        currency="EUR",
        key=f"test-pi-{number}",
        age=timedelta(0),
    )
    return replace(plain, **{**world.way, **changes})


def opened(world: World, **changes: Any) -> PaymentRequest:
    """The request of a payment that is open at the provider, which has named it."""
    asked = payment_request(world, **changes)
    seen = world.adapter.create(asked)
    return replace(asked, provider_payment_id=seen.provider_payment_id)


def pay(world: World, asked: PaymentRequest, behaviour: Behaviour = "pays") -> PaymentSnapshot:
    """Let the buyer try, and have captured what was only agreed to, as a worker does."""
    world.act(name_of(asked), behaviour)
    seen = world.adapter.fetch(asked)
    return world.adapter.capture(asked) if seen.state == "authorised" else seen


def paid(world: World, behaviour: Behaviour = "pays") -> PaymentRequest:
    """The request of a payment that is paid."""
    asked = opened(world)
    pay(world, asked, behaviour)
    return asked


def authorised(world: World) -> PaymentRequest:
    """The request of a payment of which the money is reserved."""
    asked = agreed(world)
    world.adapter.reserve(asked)
    return asked


def agreed(world: World, behaviour: Behaviour = "pays") -> PaymentRequest:
    """The request of a payment to be captured by hand, to which the buyer has agreed."""
    asked = opened(world, is_captured_by_hand=True)
    world.act(name_of(asked), behaviour)
    return asked


def refund_request(world: World, payment: PaymentRequest, **changes: Any) -> RefundRequest:
    """A request to give back a part of a payment that nobody has made before."""
    number = secrets.randbelow(10**15)
    plain = RefundRequest(
        refund_id=number,
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        provider=world.name,
        provider_payment_id=name_of(payment),
        amount_minor=1000,
        currency=payment.currency,
        reason="requested_by_customer",
        key=f"test-re-{number}",
        age=timedelta(0),
    )
    return replace(plain, **changes)


def shown(pages: Iterable[Page[T]]) -> list[T]:
    """All that a listing shows, in its order."""
    return [each for page in pages for each in page.found]


def name_of(payment: PaymentRequest) -> str:
    """The provider's id of a payment that it has named."""
    assert payment.provider_payment_id is not None
    return payment.provider_payment_id
