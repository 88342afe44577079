"""What a provider has otherwise than we do: the promise it breaks, and what mends it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from models.audit.check import Promise
from models.intents import RefundSnapshot, Subject

Remedy = Literal["look", "close", "book", "person"]
"""Look at the provider, close the payment there, book the refund, or leave it to a person."""

SLACK = timedelta(minutes=5)
"""What is this young may be listed otherwise yet; the provider's clock may be another."""

IS_OURS = Promise(
    name="provider.payment_is_ours",
    invariant=3,
    subject="payment",
    repair="Cancel or refund it at the provider: no payment of ours stands behind it.",
)
IS_OPENED_ONCE = Promise(
    name="provider.payment_is_opened_once",
    invariant=3,
    subject="payment",
    repair="Cancel or refund the second one at the provider.",
)
AMOUNT_AGREES = Promise(
    name="provider.amount_agrees",
    invariant=3,
    subject="payment",
    repair="Refund what was taken too much, or ask for the rest; then take the mark off the order.",
)
STATE_AGREES = Promise(
    name="provider.state_agrees",
    invariant=6,
    subject="payment",
    repair="See in the timeline who said that it was paid, and compare with the provider.",
)
IS_LISTED = Promise(
    name="provider.lists_the_payment",
    invariant=6,
    subject="payment",
    repair="See whether the shop's key at the provider was changed.",
)
REFUND_IS_KNOWN = Promise(
    name="provider.refund_is_known",
    invariant=4,
    subject="refund",
    repair="Nothing: it is taken over.",
)
REFUND_AMOUNT_AGREES = Promise(
    name="provider.refund_amount_agrees",
    invariant=4,
    subject="refund",
    repair="See at the provider what the customer got, and settle the rest by hand.",
)
REFUND_STATE_AGREES = Promise(
    name="provider.refund_state_agrees",
    invariant=4,
    subject="refund",
    repair="See at the provider whether the customer got the money.",
)
REFUND_IS_LISTED = Promise(
    name="provider.lists_the_refund",
    invariant=4,
    subject="refund",
    repair="See whether the shop's key at the provider was changed.",
)
DISPUTE_AGREES = Promise(
    name="provider.dispute_agrees",
    invariant=6,
    subject="dispute",
    repair="Nothing: it is looked at.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One object at the provider and one promise that it breaks; the amount in minor units."""

    promise: Promise
    remedy: Remedy
    provider: str
    reference: str
    """The object's id at the provider."""
    payment_id: int
    """Ours, or the one that its mark names."""
    row_id: int | None
    """The row that is judged, in the promise's table; None if there is none."""
    order_id: int | None
    amount_minor: int
    currency: str
    said: str
    """What was found."""
    holds_money: bool = False
    """Whether it is a payment of nobody's that was paid; its refunds were not looked at."""
    look: Subject = "payment"
    snapshot: RefundSnapshot | None = None
    """What is to be booked."""

    @property
    def subject_id(self) -> int:
        """The row that is judged, or the one that ought to be there."""
        return self.payment_id if self.row_id is None else self.row_id
