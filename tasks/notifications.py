"""Mails to customers, one job each."""

from sqlalchemy.orm import Session

from models import notification
from models.kinds import Retry
from models.session import transaction
from tasks import letters, peers, smtp
from tasks.base import Work, job


def _give_up(session: Session, error: Exception, notification_id: int) -> None:
    notification.mark_failed(session, notification_id, str(error))


@job(
    "notifications.send",
    retry=Retry(attempts=30, base=2, permanent=(smtp.MailRefusedError,)),
    exhausted=_give_up,
)
def send(work: Work, notification_id: int) -> None:
    """Send the mail. If the server's answer is lost it goes out again, with one Message-ID."""
    with transaction() as session:
        mail = notification.unsent(session, notification_id)
        letter = letters.compose(session, mail) if mail is not None else None
    if letter is None or mail is None:
        return work.skip("sent already")
    work.outside(peers.mail_server(), smtp.send, letters.render(letter))
    if work.finish_at_once(lambda session, lease: notification.finish(session, mail, lease)):
        return None
    with work.finish() as session:
        notification.mark_sent(session, notification_id)
    return None
