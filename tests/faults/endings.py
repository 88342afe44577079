"""How the stories of orders end, and whatever is not as it must be then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests import invariants, shop
from tests.faults.stories import PIECE, SHIRT, TOTAL_MINOR, Story
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What must be true when everything is quiet."""

    order: str
    stock: Mapping[str, tuple[int, int]]
    """By SKU: how many there are, and how many of them are held."""
    intents: Sequence[tuple[str, int]]
    """At the provider: how each payment intent stands, and what it has received."""
    mails: int
    refunds: Sequence[tuple[str, int]] = ()
    """Here and at the provider: how each stands, and its amount."""
    disputes: Sequence[str] = ()
    """How each stands."""


PAID = Ending(
    order="paid",
    stock={SHIRT: (8, 0), PIECE: (0, 0)},
    intents=[("succeeded", TOTAL_MINOR)],
    mails=1,
)
_HELD = {SHIRT: (10, 2), PIECE: (1, 1)}
PLACED = Ending(order="pending", stock=_HELD, intents=[], mails=0)
OPEN = replace(PLACED, intents=[("requires_payment_method", 0)])
IMPORTED = replace(PAID, refunds=[("succeeded", TOTAL_MINOR)])
REFUNDED = replace(IMPORTED, stock={SHIRT: (10, 0), PIECE: (0, 0)}, mails=2)
MARKED_REFUNDED = replace(IMPORTED, mails=2)
SHIPPED = replace(PAID, mails=2)
CLOSED_STRAY = replace(PAID, intents=[*PAID.intents, ("canceled", 0)])
DISPUTED = replace(PAID, disputes=["open"])
EXPIRED = Ending(
    order="expired",
    stock={SHIRT: (10, 0), PIECE: (1, 0)},
    intents=[("canceled", 0)],
    mails=0,
)
CANCELLED = replace(EXPIRED, order="cancelled")
CALLED_OFF = replace(CANCELLED, mails=1)
"""By the shop, which tells the customer."""


def faults(story: Story, ending: Ending, *, may_double_mail: bool) -> list[str]:
    """Whatever is not as it must be."""
    expected = {
        "orders": [(ending.order, None, False, False)],
        "stock": sorted((sku, *counts) for sku, counts in ending.stock.items()),
        "intents": list(ending.intents),
        "charges": [received for _, received in ending.intents if received],
        "refunds": list(ending.refunds),
        "refunds there": list(ending.refunds),
        "disputes": list(ending.disputes),
        "unfinished jobs": [],
        "jobs that ended twice": [],
        "findings": [],
    }
    seen = {**_in_the_database(), **_at_the_provider(story.provider)}
    wrong = [f"{what}: {seen[what]}" for what, right in expected.items() if seen[what] != right]
    with shop.database() as session:
        wrong += invariants.broken(session)
    return wrong + _wrong_mails(story.mail, ending.mails, may_double_mail=may_double_mail)


def _in_the_database() -> dict[str, list[Any]]:
    return {
        "orders": shop.sql("SELECT state, closing, needs_review, stock_shortage FROM orders"),
        "stock": shop.sql("SELECT sku, stock, held FROM stock_item ORDER BY sku"),
        "refunds": shop.sql("SELECT state, amount_minor FROM refund"),
        "disputes": [state for (state,) in shop.sql("SELECT state FROM dispute")],
        "unfinished jobs": shop.sql(
            "SELECT kind, state, attempts, last_error FROM job WHERE state <> 'done'"
        ),
        "jobs that ended twice": shop.sql(
            "SELECT kind FROM job JOIN job_attempt ON job_id = job.id"
            " WHERE outcome <> 'retry' GROUP BY job.id HAVING count(*) > 1"
        ),
        "findings": shop.sql("SELECT * FROM finding WHERE closed_at IS NULL"),
    }


def _at_the_provider(provider: StripeProcess) -> dict[str, list[Any]]:
    ledger = provider.ledger()
    intents = ledger["payment_intents"]
    return {
        "intents": [(intent["status"], intent["amount_received"]) for intent in intents],
        "charges": [charge["amount_captured"] for charge in ledger["charges"]],
        "refunds there": [(refund["status"], refund["amount"]) for refund in ledger["refunds"]],
    }


def _wrong_mails(mail: MailServer, wanted: int, *, may_double_mail: bool) -> list[str]:
    most = wanted + (1 if wanted and may_double_mail else 0)
    ids = [received["Message-ID"] for received in mail.received]
    is_right = wanted <= len(ids) <= most and len(set(ids)) == wanted
    return [] if is_right else [f"mails: {ids}"]
