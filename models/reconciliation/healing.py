"""What comes of a difference: what is certain is mended, the rest is kept for a person."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import job, looking, orders, refunding
from models.audit import finding
from models.audit.check import Found, Promise
from models.intents import RefundSnapshot
from models.job import Job
from models.payment import Payment
from models.reconciliation.difference import IS_LISTED, REFUND_IS_LISTED, Difference
from models.session import now

_WAITING = ("ready", "leased")
_SAY_NOTHING_OF_MONEY = (IS_LISTED, REFUND_IS_LISTED)


def heal(session: Session, difference: Difference) -> str | None:
    """Mend it if it is certain how; what was done, or None if it is kept for a person."""
    done = None
    if difference.remedy == "look":
        done = _look(session, difference)
    elif difference.remedy == "close":
        done = _close(session, difference)
    elif difference.snapshot is not None and difference.remedy == "book":
        done = _book(session, difference.payment_id, difference.snapshot)
    if done is None:
        _leave(session, difference)
    return done


def _look(session: Session, difference: Difference) -> str:
    looking.stage(session, session.get_one(Payment, difference.payment_id), difference.look)
    return f"{looking.KINDS[difference.look]} is staged"


def _close(session: Session, difference: Difference) -> str | None:
    """Have it closed, once; None if that came to nothing."""
    key = f"stray:{difference.provider}:{difference.reference}"
    job.stage(
        session,
        "payments.close_stray",
        key=key,
        order_id=difference.order_id,
        provider=difference.provider,
        provider_payment_id=difference.reference,
        marked_id=difference.payment_id,
    )
    state = session.scalar(select(Job.state).where(Job.dedupe_key == key))
    return "payments.close_stray is staged" if state in _WAITING else None


def _book(session: Session, payment_id: int, snapshot: RefundSnapshot) -> str:
    row = refunding.book(session, payment_id, snapshot, is_fresh=False)
    return f"it is refund {row.id}, {row.state}"


def _leave(session: Session, difference: Difference) -> None:
    """Keep it for staff; the order is marked once, so that they can take the mark off."""
    found = Found(difference.subject_id, difference.order_id, difference.said)
    is_news = finding.keep(
        session,
        difference.promise,
        found,
        provider=difference.provider,
        reference=difference.reference,
    )
    is_about_money = difference.promise not in _SAY_NOTHING_OF_MONEY
    if is_news and is_about_money and difference.order_id is not None:
        order = orders.lock(session, difference.order_id)
        why = f"{difference.provider} {difference.reference}: {difference.said}"
        orders.flag_for_review(session, order, who="system", why=why)


def close_findings(
    session: Session,
    provider: str,
    promises: Collection[Promise],
    judged: Collection[str],
    left: Collection[tuple[str, str]],
) -> None:
    """Close what was found of the objects `judged`, but for the promises and objects `left`."""
    for each in finding.of_provider(session, provider, promises):
        reference = each.reference or ""
        if reference in judged and (each.promise, reference) not in left:
            each.closed_at = now()
