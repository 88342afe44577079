"""Payments at their provider: open, look, close."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from models import asking, capturing, looking, settling
from models.intents import PaymentRequest, PaymentSnapshot
from models.kinds import Retry
from models.payment import FINAL, UNANSWERED
from models.session import transaction
from providers import registry
from providers.base import OutcomeUnknown, PaymentProvider, Rejected
from tasks import peers
from tasks.base import Work, job


class InFlightError(Exception):
    """The provider is still at work on the payment, so its order cannot be closed yet."""


def _not_opened(session: Session, error: Exception, payment_id: int) -> None:
    if isinstance(error, Rejected):
        asking.refuse(session, payment_id, why=str(error))
    else:
        asking.leave_to_a_person(session, payment_id, why=str(error))


def _not_closed(session: Session, error: Exception, payment_id: int) -> None:
    asking.leave_to_a_person(session, payment_id, why=str(error))


def _not_captured(session: Session, error: Exception, payment_id: int) -> None:
    asking.leave_to_a_person(session, payment_id, why=f"it could not be captured: {error}")


@job(
    "payments.create_intent",
    retry=Retry(attempts=100, permanent=(Rejected,)),
    exhausted=_not_opened,
)
def create_intent(work: Work, payment_id: int) -> None:
    """Open the payment at its provider. Running it twice changes nothing more."""
    with transaction() as session:
        request = asking.begin(session, payment_id)  # after a crash: the same frozen request
    if request is None:
        return work.skip("nothing to send")
    peer, provider = peers.provider(request.provider), registry.get(request.provider)
    try:
        snapshot = work.outside(peer, provider.create, request)
    except OutcomeUnknown as error:
        return work.retry(error, also=lambda session: asking.mark_unknown(session, payment_id))
    with work.finish() as session:
        row = settling.record(session, payment_id, snapshot, witness="answer")
        if row.state in UNANSWERED:  # an end that an answer alone does not prove
            looking.stage(session, row, "payment")
    return None


@job("payments.refresh", retry=Retry(attempts=50))
def refresh(work: Work, payment_id: int) -> None:
    """Look at the payment at its provider, by our mark if it was not named yet, and book it."""
    with transaction() as session:
        request = asking.to_look_at(session, payment_id)
    if request is None:
        return work.skip("the provider was never asked for it")
    snapshot = _look(work, request)
    if snapshot is None:
        return work.skip("the provider does not find it yet")
    with work.finish() as session:
        settling.record(session, payment_id, snapshot, witness="look")
    return None


def _look(work: Work, request: PaymentRequest) -> PaymentSnapshot | None:
    peer, provider = peers.provider(request.provider), registry.get(request.provider)
    if request.provider_payment_id is None:
        return work.outside(peer, provider.find, request)
    return work.outside(peer, provider.fetch, request)


@job("payments.reserve", retry=Retry(attempts=100, permanent=(Rejected,)), exhausted=_not_captured)
def reserve(work: Work, payment_id: int) -> None:
    """Have the money reserved that the buyer has agreed to. Twice, it is reserved once."""
    _take(work, payment_id, lambda provider: provider.reserve)


@job("payments.capture", retry=Retry(attempts=100, permanent=(Rejected,)), exhausted=_not_captured)
def capture(work: Work, payment_id: int) -> None:
    """Take the money that is reserved, whole. Running it twice takes nothing more."""
    _take(work, payment_id, lambda provider: provider.capture)


def _take(
    work: Work,
    payment_id: int,
    choose: Callable[[PaymentProvider], Callable[[PaymentRequest], PaymentSnapshot]],
) -> None:
    with transaction() as session:
        request = asking.to_capture(session, payment_id)
    if request is None:
        return work.skip("there is nothing to capture")
    peer, provider = peers.provider(request.provider), registry.get(request.provider)
    snapshot = work.outside(peer, choose(provider), request)
    with work.finish() as session:
        settling.record(session, payment_id, snapshot, witness="look")
    return None


# About a day of asking at the default back-off cap, before a person must look.
@job("payments.close", retry=Retry(attempts=200, base=2), exhausted=_not_closed)
def close(work: Work, payment_id: int) -> None:
    """Close the payment at its provider, so that its order can end, or wait for money in flight."""
    with transaction() as session:
        request = asking.to_close(session, payment_id)
        is_being_captured = capturing.is_under_way(session, payment_id)
    if request is None:
        return work.skip("it is final already")
    if is_being_captured:  # begun before anybody wanted it closed; from then on, none begins
        return work.retry(InFlightError("it is being captured"))
    peer, provider = peers.provider(request.provider).unhurried(), registry.get(request.provider)
    if request.provider_payment_id is None:  # its creation may or may not have reached them
        opened = work.outside(peer, provider.create, request)
        request = replace(request, provider_payment_id=opened.provider_payment_id)
        with transaction() as session:  # a repetition of this job need not ask for it again
            settling.record(session, payment_id, opened, witness="answer")
    snapshot = work.outside(peer, provider.close, request)
    if snapshot.state not in FINAL:
        return work.retry(
            InFlightError(snapshot.state),
            also=lambda session: settling.record(session, payment_id, snapshot, witness="look"),
        )
    with work.finish() as session:
        settling.record(session, payment_id, snapshot, witness="look")
    return None
