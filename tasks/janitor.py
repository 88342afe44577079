"""The janitor: whatever has not ended and has long been silent is asked about at its provider."""

from models import capturing, looking
from models.kinds import Retry
from models.payment import Payment
from models.refund import Refund
from models.session import transaction
from tasks.base import Work, job

_BATCH = 200


@job("janitor.sweep", retry=Retry(attempts=3))
def sweep(work: Work) -> None:
    """Stage a look at each silent payment and refund, and warn of authorisations that end soon."""
    while _look_at_payments() + _look_at_refunds() > 0:
        work.renew()
    with work.finish() as session:
        capturing.warn(session)


def _look_at_payments() -> int:
    with transaction() as session:
        silent = looking.overdue(session, Payment, _BATCH)
        for row in silent:
            looking.stage(session, row, "payment")
    return len(silent)


def _look_at_refunds() -> int:
    with transaction() as session:
        silent = looking.overdue(session, Refund, _BATCH)
        for payment_id in {row.payment_id for row in silent}:
            looking.stage(session, session.get_one(Payment, payment_id), "refunds")
    return len(silent)
