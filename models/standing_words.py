"""What is said of an order whose payment, refund or own state speaks for itself."""

from collections.abc import Mapping
from typing import Literal

Mood = Literal["waits", "works", "person", "ready", "over"]
"""It waits for the customer; somebody is at work; a person is needed; one may act; it is done."""


OF_PAYMENT: Mapping[str, tuple[Mood, str, str]] = {
    "waiting": (
        "works",
        "The customer has chosen another way to pay; the earlier payment is being closed.",
        "When its provider says that it takes no more money, the other payment begins.",
    ),
    "created": (
        "works",
        "A payment is staged; the provider has not been asked yet.",
        "A worker opens it at the provider.",
    ),
    "sent": (
        "works",
        "The provider is being asked to open the payment.",
        "Its answer is booked, or it is asked again with the same key.",
    ),
    "unknown": (
        "works",
        "The provider's answer was lost: it may or may not have opened the payment.",
        "It is asked again with the same key, so nothing can be opened twice.",
    ),
    "open": (
        "waits",
        "The payment is open: the customer has not paid yet.",
        "If they do not, the order expires and its goods are free again.",
    ),
    "requires_action": (
        "waits",
        "The customer's bank asks them to confirm the payment.",
        "The bank's answer arrives by webhook; if none comes, the provider is asked.",
    ),
    "processing": (
        "works",
        "The money is on its way: the bank is at work.",
        "The bank's answer arrives by webhook; if none comes, the provider is asked.",
    ),
    "authorised": (
        "person",
        "The money is reserved at the customer's bank, not taken.",
        "If nobody captures it, the bank lets it go.",
    ),
}


OF_REFUND: Mapping[str, str] = {
    "requested": "is staged",
    "sent": "is being asked for at the provider",
    "unknown": "was asked for, and the answer was lost: it is asked again with the same key",
    "pending": "is on its way: the provider has taken it",
}

_LATE_MONEY = "Nothing. Money that still comes is booked, or given back."
OF_STATUS: Mapping[str, tuple[Mood, str, str, tuple[str, ...]]] = {
    "paid": (
        "ready",
        "It is paid and ready to be shipped.",
        "Nothing: it waits for you.",
        ("Ship it, or refund it.",),
    ),
    "shipped": (
        "over",
        "The goods are on their way.",
        "Nothing.",
        ("Say that they have arrived, or correct the tracking.",),
    ),
    "delivered": ("over", "The goods have arrived. All is done.", "Nothing.", ()),
    "partially_refunded": (
        "over",
        "A part of the money was given back.",
        "Nothing.",
        ("Ship the rest, or refund it.",),
    ),
    "refunded": ("over", "All of the money was given back.", "Nothing.", ()),
    "expired": ("over", "It was not paid in time, and its goods are free again.", _LATE_MONEY, ()),
    "cancelled": ("over", "It was cancelled, and its goods are free again.", _LATE_MONEY, ()),
}
