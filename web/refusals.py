"""What the models refuse, as the problem that tells a caller why: for the API and for pages."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import NoResultFound

from models import (
    capturing,
    catalogue,
    fulfilment,
    job_desk,
    order_desk,
    refund,
    refund_desk,
    starting,
)
from web.errors import Problem

_PROBLEMS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    NoResultFound: lambda _: Problem(404, "not_found"),
    fulfilment.NotShippableError: lambda error: Problem(409, error.why),
    order_desk.NotExtendableError: lambda error: Problem(
        409, "order_closed", f"The order is {error}."
    ),
    starting.AlreadyPaidError: lambda _: Problem(409, "already_paid"),
    starting.UnderWayError: lambda _: Problem(409, "payment_in_progress"),
    starting.OrderClosingError: lambda _: Problem(409, "order_closing"),
    starting.OrderClosedError: lambda error: Problem(
        409, "order_closed", f"The order is {error.state}."
    ),
    capturing.NotCapturableError: lambda _: Problem(409, "not_capturable"),
    refund.NotRefundableError: lambda _: Problem(409, "not_refundable"),
    refund.DisputedError: lambda _: Problem(409, "refund_blocked"),
    refund_desk.ChangedMeanwhileError: lambda _: Problem(409, "changed_meanwhile"),
    refund_desk.NotReturnableError: lambda error: Problem(
        422, "restock_impossible", returnable=error.returnable
    ),
    catalogue.SkuTakenError: lambda _: Problem(409, "sku_taken"),
    catalogue.ImpossibleStockError: lambda error: Problem(
        409, "impossible_stock", least=error.least, most=error.most
    ),
    job_desk.NotRetryableError: lambda error: Problem(
        409, "job_not_retryable", f"The job cannot be retried: {error}."
    ),
    job_desk.NotCancellableError: lambda error: Problem(
        409, "job_not_cancellable", f"The job cannot be cancelled: {error}."
    ),
}


@contextmanager
def refusals() -> Iterator[None]:
    """Say as a `Problem` why an act of the block was refused."""
    try:
        yield
    except tuple(_PROBLEMS) as error:
        raise _PROBLEMS[type(error)](error) from None
