"""What we ask of a payment provider and what it answers, in our own words.

Frozen and free of SQLAlchemy, so that a provider adapter can neither see nor hold a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

PaymentState = Literal[
    "open", "requires_action", "processing", "authorised", "succeeded", "cancelled", "failed"
]
RefundState = Literal["pending", "succeeded", "failed", "cancelled"]
DisputeState = Literal["open", "won", "lost", "closed"]
Subject = Literal["payment", "refunds", "disputes"]
"""What of a payment can be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One immutable call: repeating it with the same `key` opens no second payment."""

    payment_id: int
    order_id: int
    order_number: str
    provider: str
    provider_payment_id: str | None
    amount_minor: int
    currency: str
    is_captured_by_hand: bool = False
    """Whether the money is only reserved until `capture` is called."""
    key: str
    age: timedelta
    """How long ago it was first sent: past the provider's memory, `key` protects no more."""
    is_unknown: bool = False
    """Whether an earlier answer was lost: the provider may have it already."""
    payment_method: str | None = None
    """The way to pay that the buyer has chosen; None: whatever the provider offers by itself."""
    return_url: str | None = None
    """Where the buyer comes back to from the provider's own page, if the way leads there."""
    country: str = ""
    """Where the bill goes; ISO 3166-1 alpha-2."""
    email: str = ""
    """The buyer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt was refused: the provider's code and its words for the customer."""

    code: str
    message: str
    charge_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSnapshot:
    """A payment as the provider saw it at one moment; amounts in our minor units."""

    provider_payment_id: str
    state: PaymentState
    amount_minor: int
    received_minor: int
    currency: str
    is_live: bool
    client_secret: str | None = None
    """What the provider's form in the browser needs, if the buyer pays there."""
    redirect_url: str | None = None
    """The provider's own page, if the buyer goes on there."""
    failure: Failure | None = None
    capture_before: datetime | None = None
    """Until when authorised money can be captured, if the provider says so."""
    is_agreed_only: bool = False
    """Whether the buyer has agreed and the shop must still have the money reserved."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own words, less secrets and personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """One immutable call: repeating it with the same `key` gives the money back once."""

    refund_id: int
    payment_id: int
    order_id: int
    provider: str
    provider_payment_id: str
    amount_minor: int
    currency: str
    reason: str | None
    """`duplicate`, `fraudulent` or `requested_by_customer`."""
    key: str
    age: timedelta
    """How long ago it was first sent: past the provider's memory, `key` protects no more."""
    is_unknown: bool = False
    """Whether an earlier answer was lost: the provider may have it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSnapshot:
    """A refund as the provider saw it at one moment; the amount in our minor units."""

    provider_refund_id: str
    provider_payment_id: str | None
    marked_refund_id: int | None
    """Our refund's id, as our own mark on it says; None if it was made outside."""
    state: RefundState
    amount_minor: int
    currency: str
    created_at: datetime
    reason: str | None = None
    failure: str | None = None
    """Why it failed, in the provider's word."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own words, less secrets and personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSnapshot:
    """A dispute as the provider saw it at one moment; the amount in our minor units."""

    provider_dispute_id: str
    provider_payment_id: str | None
    state: DisputeState
    status: str
    """The provider's own word, which says more."""
    reason: str
    amount_minor: int
    currency: str
    is_refundable: bool
    """Whether a refund would not pay the customer twice."""
    due_by: datetime | None
    """Until when the shop can answer."""
    created_at: datetime
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own words, less secrets and personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPayment:
    """A payment in a provider's list that bears our mark; amounts in our minor units."""

    payment_id: int
    """Ours, as the mark says."""
    provider_payment_id: str
    created_at: datetime
    state: PaymentState
    amount_minor: int
    received_minor: int
    currency: str
