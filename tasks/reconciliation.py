"""Reconciliation: what providers list is compared with our rows, and what is certain is mended."""

from functools import partial

from models import job as ledger
from models.kinds import Retry
from models.reconciliation import span
from models.reconciliation.payments import by_reference
from models.reconciliation.span import Compared
from models.session import transaction
from providers import registry
from tasks import comparing, peers
from tasks.base import Work, job
from tasks.comparisons import COMPARISONS, Comparison

_RETRY = Retry(attempts=10, base=10)


class StillInFlightError(Exception):
    """The provider is at work on the payment, so it cannot be closed yet."""


@job("reconcile.payments", retry=_RETRY)
def payments(work: Work, provider: str | None = None) -> None:
    """Find events that we missed, and payments at the provider that are nobody's."""
    _reconcile(work, "payments", provider)


@job("reconcile.refunds", retry=_RETRY)
def refunds(work: Work, provider: str | None = None) -> None:
    """Find refunds that were made at the provider, or became something else there."""
    _reconcile(work, "refunds", provider)


@job("reconcile.disputes", retry=_RETRY)
def disputes(work: Work, provider: str | None = None) -> None:
    """Find disputes that were opened or ended, and nobody told us."""
    _reconcile(work, "disputes", provider)


def _reconcile(work: Work, compared: Compared, provider: str | None) -> None:
    names = registry.in_use() if provider is None else (provider,)
    failures = [_failure(work, COMPARISONS[compared], name) for name in names]
    for failure in filter(None, failures):  # after all that could be compared were
        raise failure
    with work.finish():
        pass


def _failure(work: Work, comparison: Comparison, name: str) -> Exception | None:
    try:
        _compare(work, comparison, name)
    except Exception as error:  # noqa: BLE001 - it is raised again
        return error
    return None


def _compare(work: Work, comparison: Comparison, name: str) -> None:
    """Do the next step of the run, which goes on where the last one was cut short."""
    compared = comparison.compared
    with transaction() as session:
        rest = span.resume(session, name, compared)
    call = partial(work.outside, peers.provider(name))
    part = comparing.Step(comparison, name, rest, call).take()
    outcomes = comparing.heal_all(part)
    with transaction() as session:
        comparing.close(session, comparison, name, part, outcomes)
        span.pass_on(session, name, compared, rest, part.reached)
        if part.reached is not None:
            step = f"{rest.began_at.isoformat()}:{part.reached.isoformat()}"
            key = f"reconcile:{compared}:{name}:{step}"
            ledger.stage(session, f"reconcile.{compared}", key=key, provider=name)


# As long as the closing of an order: money may be in flight for days.
@job("payments.close_stray", retry=Retry(attempts=200, base=2))
def close_stray(work: Work, provider: str, provider_payment_id: str, marked_id: int) -> None:
    """Close a payment at the provider that is nobody's, unless it has been paid."""
    request = by_reference(provider, provider_payment_id, marked_id)
    snapshot = work.outside(peers.provider(provider), registry.get(provider).close, request)
    if snapshot.state == "succeeded":
        return work.skip("it is paid, which the next comparison tells")
    if snapshot.state != "cancelled":
        return work.retry(StillInFlightError(snapshot.state))
    with work.finish():
        pass
    return None
