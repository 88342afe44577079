"""How an order ended unpaid, told to its customer."""

from sqlalchemy import select
from sqlalchemy.orm import Session

import settings
from models import notification
from models.journal import JournalEntry


def tell(session: Session, order_id: int, state: str, email: str) -> None:
    """Have a mail sent if the customer may not know: time ran out, or the shop cancelled it."""
    if state == "expired":
        is_news = settings.current().mail_on_expiry
    else:
        is_news = not _by_a_customer(session, order_id)
    if is_news:
        notification.stage(session, order_id, f"order_{state}", email)


def _by_a_customer(session: Session, order_id: int) -> bool:
    """Whether it was their wish. Else anybody could have mails sent to any address at will."""
    who = session.scalar(
        select(JournalEntry.who)
        .where(JournalEntry.order_id == order_id, JournalEntry.what == "order.closing")
        .order_by(JournalEntry.id.desc())
        .limit(1)
    )
    return who is not None and who.partition(":")[0] in ("guest", "customer")
