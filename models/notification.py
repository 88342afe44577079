"""Mails to customers: one row for each (order, kind, recipient), sent by a worker.

Staff can have a mail sent again: each time is a row of its own, a copy with its own number.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import job, journal, leaving
from models.base import Base, BigId, Json
from models.job import Lease
from models.rows import Rows
from models.session import now
from models.statement import Statement

STATES: journal.StateTable = {
    "staged": frozenset({"sent", "failed"}),
    "sent": frozenset(),
    "failed": frozenset({"sent"}),
}


class Notification(Base):
    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("order_id", "kind", "recipient", "copy"),
        CheckConstraint("state IN ('staged', 'sent', 'failed')", name="state"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    kind: Mapped[str]
    """What it tells of, such as `order_paid` or `refund:5`."""
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refund.id"))
    """The refund that it tells of, if it does."""
    recipient: Mapped[str]
    copy: Mapped[int] = mapped_column(default=0, server_default="0")
    """0 of the mail that the shop sends by itself; 1 and up of those that staff send again."""
    state: Mapped[str] = mapped_column(default="staged")
    message_id: Mapped[str]
    """The local part of the Message-ID: fixed here, so a mail that comes twice is one mail."""
    created_at: Mapped[datetime] = mapped_column(default=now())
    sent_at: Mapped[datetime | None]


_UNSENT = Rows(Notification, "WHERE id = %(notification_id)s AND state <> 'sent'")
_LOCK = Rows(Notification, "WHERE id = %(notification_id)s FOR NO KEY UPDATE")
# Only the clock and terms of ours are interpolated, never a value (S608).
_FINISH = Statement(f"""
WITH mail AS (
    SELECT id FROM notification WHERE id = %(id)s AND state = %(was)s FOR NO KEY UPDATE
), {leaving.done("EXISTS (SELECT FROM mail)")}
, changed AS (
    UPDATE notification SET state = %(becomes)s, sent_at = {now()}
    WHERE id = %(id)s AND EXISTS (SELECT FROM given_back)
    RETURNING id, order_id
), also AS ({journal.of_what_changed(Notification)}
)
SELECT id FROM changed
""")  # noqa: S608
_STAGE = Statement(f"""
INSERT INTO notification (order_id, kind, refund_id, recipient, copy, state, message_id, created_at)
SELECT order_id, kind, refund_id, recipient, 0, 'staged', message_id, {now()}
FROM unnest(%(order_id)s::bigint[], %(kind)s::text[], %(refund_id)s::bigint[],
            %(recipient)s::text[], %(message_id)s::text[])
    AS mail (order_id, kind, refund_id, recipient, message_id)
ON CONFLICT DO NOTHING
RETURNING id, order_id
""")  # noqa: S608


def stage(
    session: Session, order_id: int, kind: str, recipient: str, *, refund_id: int | None = None
) -> None:
    """Have this mail sent once; a second call for the same changes nothing."""
    _stage(session, [row(order_id, kind, recipient, refund_id=refund_id)])


def stage_all(session: Session, kind: str, recipients: Mapping[int, str]) -> None:
    """Have a mail of this kind sent once about each of these orders."""
    if recipients:
        _stage(session, [row(order_id, kind, email) for order_id, email in recipients.items()])


def row(order_id: int, kind: str, recipient: str, *, refund_id: int | None = None) -> Json:
    """A mail that is new, with the Message-ID that it keeps."""
    return {
        "order_id": order_id,
        "kind": kind,
        "refund_id": refund_id,
        "recipient": recipient,
        "message_id": f"{kind.replace(':', '.')}.{order_id}.{secrets.token_hex(8)}",
    }


def _stage(session: Session, rows: Sequence[Json]) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    staged = _STAGE.rows(session, columns)
    job.stage_all(
        session,
        "notifications.send",
        [
            job.New(f"mail:{mail_id}", order_id, {"notification_id": mail_id})
            for mail_id, order_id in staged
        ],
    )


def unsent(session: Session, notification_id: int) -> Notification | None:
    """The mail, if it still has to go out; a failed one has, once its job is tried anew."""
    return _UNSENT.first(session, notification_id=notification_id)


def finish(session: Session, mail: Notification, lease: Lease) -> int | None:
    """Say that the mail is sent and end its job, in one statement: its id; None if it does neither.

    It does neither if the lease is lost, or if somebody else has dealt with the mail.
    """
    why = {"who": "worker", "why": "the mail server took it"}
    said = journal.said(Notification, "state", mail.state, "sent", **why)
    row = _FINISH.row(session, {"id": mail.id, **said, **lease.done})
    return None if row is None else int(row[0])


def mark_sent(session: Session, notification_id: int) -> None:
    mail = _LOCK.one(session, notification_id=notification_id)
    journal.move(
        session,
        mail,
        STATES,
        "sent",
        who="worker",
        why="the mail server took it",
        is_locked=True,
        sent_at=now(),
    )


def mark_failed(session: Session, notification_id: int, why: str) -> None:
    mail = session.get_one(Notification, notification_id)
    journal.move(session, mail, STATES, "failed", who="worker", why=why)
