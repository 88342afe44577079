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
    key: str
    age: timedelta
    """How long ago it was first sent: past the provider's memory, `key` protects no more."""


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
    failure: Failure | None = None
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
