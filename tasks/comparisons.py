"""What is compared with a provider: payments, refunds and disputes, each in its way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from models.audit.check import Promise
from models.intents import ListedPayment
from models.reconciliation import payments, refunds
from models.reconciliation.difference import Difference
from models.reconciliation.span import Compared
from providers import registry
from providers.base import Page, PaymentProvider

T = TypeVar("T")


class Call(Protocol):
    """Makes a call at a provider, when it is to be asked."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T: ...


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How one sort of things is listed, named, judged, missed, and asked about one by one."""

    compared: Compared
    promises: Sequence[Promise] = ()
    """Those that can be left to a person."""
    pages: Callable[[PaymentProvider, datetime, datetime | None], Iterator[Page[Any]]]
    name: Callable[[Any], str]
    judge: Callable[[Session, str, Sequence[Any], datetime], list[Difference]]
    unlisted: Callable[[Session, str, set[str], datetime, datetime], list[Difference]] | None = None
    ask: Callable[[Call, str, str, int], Any] | None = None
    """How a thing is asked for by its name there and our row's id: as it would be listed."""


def _ask_for_payment(call: Call, provider: str, name: str, payment_id: int) -> ListedPayment:
    request = payments.by_reference(provider, name, payment_id)
    return payments.as_listed(payment_id, call(registry.get(provider).fetch, request))


COMPARISONS: Mapping[Compared, Comparison] = {
    "payments": Comparison(
        compared="payments",
        promises=payments.PROMISES,
        pages=lambda adapter, since, until: adapter.list_since(since, until),
        name=lambda theirs: theirs.provider_payment_id,
        judge=payments.compare,
        unlisted=payments.unlisted,
        ask=_ask_for_payment,
    ),
    "refunds": Comparison(
        compared="refunds",
        promises=refunds.PROMISES,
        pages=lambda adapter, since, until: adapter.refunds_since(since, until),
        name=lambda theirs: theirs.provider_refund_id,
        judge=refunds.compare,
        unlisted=refunds.unlisted,
        ask=lambda call, provider, name, _: call(registry.get(provider).fetch_refund, name),
    ),
    "disputes": Comparison(
        compared="disputes",
        pages=lambda adapter, since, until: adapter.disputes_since(since, until),
        name=lambda theirs: theirs.provider_dispute_id,
        judge=refunds.compare_disputes,
    ),
}
