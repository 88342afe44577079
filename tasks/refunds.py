"""Refunds at their provider: made once each, and looked at."""

from sqlalchemy.orm import Session

from models import asking, looking, refunding
from models.intents import RefundSnapshot
from models.kinds import Retry
from models.payment import Payment
from models.session import transaction
from providers import registry
from providers.base import OutcomeUnknown, Rejected
from tasks import peers
from tasks.base import Work, job


class ForeignRefundError(Exception):
    """The provider has this refund, but of another payment."""


def _not_made(session: Session, error: Exception, refund_id: int) -> None:
    if isinstance(error, Rejected):
        refunding.refuse(session, refund_id, why=str(error))
    else:
        refunding.leave_to_a_person(session, refund_id, why=str(error))


def _not_recorded(
    session: Session, error: Exception, payment_id: int, provider_refund_id: str
) -> None:
    why = f"refund {provider_refund_id} could not be recorded: {error}"
    asking.leave_to_a_person(session, payment_id, why=why)


@job("refunds.create", retry=Retry(attempts=100, permanent=(Rejected,)), exhausted=_not_made)
def create(work: Work, refund_id: int) -> None:
    """Have the provider give the money back. Running it twice gives nothing more."""
    with transaction() as session:
        request = refunding.begin(session, refund_id)  # after a crash: the same frozen request
    if request is None:
        return work.skip("nothing to send")
    peer, provider = peers.provider(request.provider), registry.get(request.provider)
    try:
        snapshot = work.outside(peer, provider.refund, request)
    except OutcomeUnknown as error:
        return work.retry(error, also=lambda session: refunding.mark_unknown(session, refund_id))
    with work.finish() as session:
        refunding.book(session, request.payment_id, snapshot, key=request.key)
    return None


@job("refunds.refresh", retry=Retry(attempts=50))
def refresh(work: Work, payment_id: int) -> None:
    """Book every refund that the provider has of this payment, those made there too."""
    with transaction() as session:
        looking.begin(session, payment_id, "refunds")
        paid = session.get_one(Payment, payment_id)
    if paid.provider_payment_id is None:
        return work.skip("the provider does not know it yet")
    peer, provider = peers.provider(paid.provider), registry.get(paid.provider)
    seen = work.outside(peer, provider.refunds_of, paid.provider_payment_id)
    with work.finish() as session:
        for snapshot in seen:
            refunding.book(session, payment_id, snapshot)
    return None


@job(
    "refunds.record",
    retry=Retry(attempts=20, permanent=(Rejected, ForeignRefundError)),
    exhausted=_not_recorded,
)
def record(work: Work, payment_id: int, provider_refund_id: str) -> None:
    """Take over a refund that was made by hand, as the provider shows it."""
    with transaction() as session:
        paid = session.get_one(Payment, payment_id)
    peer, provider = peers.provider(paid.provider), registry.get(paid.provider)
    snapshot = work.outside(peer, provider.fetch_refund, provider_refund_id)
    _check_its_payment(paid, snapshot)
    with work.finish() as session:
        refunding.book(session, payment_id, snapshot)


def _check_its_payment(paid: Payment, snapshot: RefundSnapshot) -> None:
    if snapshot.provider_payment_id != paid.provider_payment_id:
        raise ForeignRefundError(f"{snapshot.provider_refund_id} is of another payment")
