"""Mails that staff have sent again, each time as a copy with a number of its own."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import job, journal, notification, orders
from models.notification import Notification


def resend(session: Session, notification_id: int, *, who: str, why: str) -> Notification:
    """Have the mail sent once more, as a copy of its own; raises NoResultFound."""
    order_id = session.execute(
        select(Notification.order_id).where(Notification.id == notification_id)
    ).scalar_one()
    orders.lock(session, order_id)  # two at once are two copies
    mail = session.get_one(Notification, notification_id)
    copies = select(func.max(Notification.copy)).where(
        Notification.order_id == mail.order_id,
        Notification.kind == mail.kind,
        Notification.recipient == mail.recipient,
    )
    values = notification.row(order_id, mail.kind, mail.recipient, refund_id=mail.refund_id)
    copy = Notification(**values, copy=session.execute(copies).scalar_one() + 1)
    session.add(copy)
    session.flush()
    journal.write(session, copy, "notification.resent", None, "staged", who=who, why=why)
    job.stage(
        session,
        "notifications.send",
        key=f"mail:{copy.id}",
        order_id=order_id,
        notification_id=copy.id,
    )
    return copy
