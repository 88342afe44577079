"""How an order ended unpaid, told to its customer."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

import settings
from models import journal, notification


def tell(session: Session, order_id: int, state: str, email: str) -> None:
    """Have a mail sent if the customer may not know: time ran out, or the shop cancelled it."""
    if state == "expired":
        tell_expired(session, {order_id: email})
    elif not _by_a_customer(session, order_id):
        notification.stage(session, order_id, "order_cancelled", email)


def tell_expired(session: Session, recipients: Mapping[int, str]) -> None:
    """Have a mail sent, if the shop wants it, about each of these orders."""
    if settings.current().mail_on_expiry:
        notification.stage_all(session, "order_expired", recipients)


def _by_a_customer(session: Session, order_id: int) -> bool:
    """Whether it was their wish. Else anybody could have mails sent to any address at will."""
    begun = journal.last(session, order_id, "order.closing")
    return begun is not None and begun.who.partition(":")[0] in ("guest", "customer")
