"""Disputes at their provider: looked at, since only a fresh look tells how they stand."""

from models import dispute, looking
from models.kinds import Retry
from models.payment import Payment
from models.session import transaction
from providers import registry
from tasks import peers
from tasks.base import Work, job


@job("disputes.refresh", retry=Retry(attempts=50))
def refresh(work: Work, payment_id: int) -> None:
    """Book every dispute that the provider has about this payment."""
    with transaction() as session:
        looking.begin(session, payment_id, "disputes")
        paid = session.get_one(Payment, payment_id)
    if paid.provider_payment_id is None:
        return work.skip("the provider does not know it yet")
    peer, provider = peers.provider(paid.provider), registry.get(paid.provider)
    seen = work.outside(peer, provider.disputes_of, paid.provider_payment_id)
    with work.finish() as session:
        for snapshot in seen:
            dispute.book(session, payment_id, snapshot)
    return None
