"""What a payment provider is to us.

Adapters take and return frozen dataclasses and know nothing of the database, the web or the
workers, so that no transaction can be open during a provider call. What a call raises:

    ProviderError
    ├── Declined          the provider refused this customer's means of payment
    ├── Rejected          the provider refused our request: our mistake, no repetition mends it
    ├── RateLimited       too many requests, nothing happened; `retry_after` seconds, if it says
    └── OutcomeUnknown    no usable answer: it may or may not have happened
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from models.intents import (
    DisputeSnapshot,
    Failure,
    ListedPayment,
    PaymentRequest,
    PaymentSnapshot,
    RefundRequest,
    RefundSnapshot,
    Subject,
)

T = TypeVar("T")


class ProviderError(Exception):
    """Something between us and a payment provider."""


class Declined(ProviderError):  # noqa: N818 - the field's own word
    """The provider refused this customer's means of payment."""


class Rejected(ProviderError):  # noqa: N818 - the field's own word
    """The provider refused our request: our mistake, no repetition mends it."""


class OutcomeUnknown(ProviderError):  # noqa: N818 - the field's own word
    """No usable answer: the call may or may not have happened."""


class RateLimited(ProviderError):  # noqa: N818 - the field's own word
    """Too many requests at once; nothing happened."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidSignature(ProviderError):  # noqa: N818 - the field's own word
    """The webhook was not sent by the provider, or not now."""


class MalformedEvent(ProviderError):  # noqa: N818 - the field's own word
    """The webhook is signed, but it is no event we can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """A verified webhook in our own words."""

    event_id: str
    type: str
    occurred_at: datetime
    foreign_because: str | None
    """Why it is none of our business (another mode, account or application), if it is not."""
    idempotency_key: str | None
    """The key of the call that caused it."""
    provider_payment_id: str | None
    """The payment that it is about, at the provider; None if it does not say, or is about none."""
    marked_payment_id: int | None
    """Our payment's id, as our own mark on the object says."""
    payment: PaymentSnapshot | None = None
    """The payment as it was, if the event holds one."""
    refund: RefundSnapshot | None = None
    """The refund as it was, if the event holds one."""
    dispute: DisputeSnapshot | None = None
    """The dispute as it was, if the event holds one."""
    attempt: Failure | None = None
    """A customer's try that was declined, if the event tells of one."""
    looks: frozenset[Subject] = frozenset()
    """What the event tells of without saying how it is now."""
    warning: str | None = None
    """Why a person should look at the order, such as a warning of fraud."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own words, less secrets."""

    @property
    def is_about_a_payment(self) -> bool:
        return self.provider_payment_id is not None or self.marked_payment_id is not None

    @property
    def idle_because(self) -> str | None:
        """Why nothing is to be made of it though it may be our business, if nothing is."""
        told = (self.payment, self.refund, self.dispute, self.attempt, self.looks, self.warning)
        is_news = self.is_about_a_payment and any(told)
        return None if is_news else f"{self.type} changes nothing here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """What one call shows of a list, newest first."""

    found: Sequence[T]
    """What of it is our business; perhaps nothing."""
    reaches: datetime
    """Whatever was made after this moment has been shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to pay, as the adapter that offers it declares it."""

    name: str
    """As clients say it, and the setting `PAYMENT_METHODS`."""
    is_redirect: bool = False
    """Whether the buyer leaves for the provider's own page and comes back."""
    markets: Mapping[str, frozenset[str] | None] | None = None
    """The buyers' countries by currency, None for all of them; None: every currency."""

    def serves(self, currency: str, country: str | None) -> bool:
        """Whether buyers there can pay in this currency; somewhere, if the country is not said."""
        if self.markets is None:
            return True
        if currency not in self.markets:
            return False
        countries = self.markets[currency]
        return countries is None or country is None or country in countries


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a provider may be asked in a second, by all processes together."""

    of_each_call: float
    in_all: float


class PaymentProvider(Protocol):
    """Every call may raise `Rejected`, `RateLimited` or `OutcomeUnknown`."""

    @property
    def pace(self) -> Pace:
        """How fast it may be asked."""

    @property
    def methods(self) -> Sequence[Method]:
        """The ways to pay that can be asked for by name."""

    def chargeable(self, currency: str) -> range:
        """The amounts that can be charged, in minor units: the least, the most, and the steps.

        Empty for a currency that the provider does not take.
        """

    @property
    def publishable_key(self) -> str | None:
        """What a browser needs to speak to the provider."""

    def create(self, request: PaymentRequest) -> PaymentSnapshot:
        """Open the payment, or find the one that this request has opened before.

        Raises `Rejected` if it cannot be paid by the `payment_method` that is asked for.
        """

    def fetch(self, request: PaymentRequest) -> PaymentSnapshot:
        """Look at the payment as it is now."""

    def close(self, request: PaymentRequest) -> PaymentSnapshot:
        """Have it take no more money, and say how it ended.

        `cancelled`: closed; `succeeded`: paid already; anything else: still in flight.
        """

    def find(self, request: PaymentRequest) -> PaymentSnapshot | None:
        """Look for the payment by our mark; None if the provider does not find one (yet)."""

    def reserve(self, request: PaymentRequest) -> PaymentSnapshot:
        """Reserve the whole amount that the buyer has agreed to; repeating it reserves it once."""

    def capture(self, request: PaymentRequest) -> PaymentSnapshot:
        """Take the whole authorised amount; repeating it takes it once."""

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        """Give money back, or find the refund that this request has made before."""

    def refunds_of(self, provider_payment_id: str) -> list[RefundSnapshot]:
        """All refunds of a payment as they are now, ours and those made outside."""

    def fetch_refund(self, provider_refund_id: str) -> RefundSnapshot:
        """Look at one refund as it is now."""

    def disputes_of(self, provider_payment_id: str) -> list[DisputeSnapshot]:
        """All disputes of a payment as they are now."""

    def list_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[ListedPayment]]:
        """The payments opened in this time that bear our mark, newest first.

        Each step makes one call; after one that fails, there are no more. Both ends count.
        """

    def refunds_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[RefundSnapshot]]:
        """The refunds made in this time on any payment, in steps as those of `list_since`."""

    def disputes_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[DisputeSnapshot]]:
        """The disputes opened in this time about any payment, in steps as those of `list_since`."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Verify a delivery's signature and age, or raise `InvalidSignature`.

        Raises `MalformedEvent` for a signed body that is no event.
        """

    def read_event(self, body: Mapping[str, Any]) -> ProviderEvent:
        """Read an event again from what was stored of it."""
