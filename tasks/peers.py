"""The peers that jobs speak to, each behind a circuit breaker of this process."""

from functools import cache

from models import kinds, lease
from models.session import transaction
from providers.base import OutcomeUnknown
from tasks.breaker import Breaker
from tasks.smtp import MailServerError


@cache
def provider(name: str) -> Breaker:
    """A payment provider."""
    return Breaker(name, (OutcomeUnknown,), lambda: _pull_forward("payments."))


@cache
def mail_server() -> Breaker:
    """The mail server."""
    return Breaker("the mail server", (MailServerError,), lambda: _pull_forward("notifications."))


def _pull_forward(prefix: str) -> None:
    with transaction() as session:
        lease.pull_forward(session, [name for name in kinds.KINDS if name.startswith(prefix)])
