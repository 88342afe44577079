"""The mail server: one bounded SMTP conversation for each mail."""

import re
import smtplib
from contextlib import closing, suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import settings

_PERMANENT = 500


class MailRefusedError(Exception):
    """The server will never take this mail; no repetition mends it."""


class MailServerError(Exception):
    """The server did not take the mail this time, or its answer was lost."""


def send(message: EmailMessage) -> None:
    """Hand the mail over, or raise `MailRefusedError` or `MailServerError`."""
    try:
        with closing(_connect()) as server:
            server.send_message(message)
            # It is taken: what goes wrong from here on must not send it again.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
    # Servers quote the recipient, whom the log must not know: hence `from None`.
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        raise _meaning(code)(f"recipient refused: {code} {_anonymous(words)}") from None
    except smtplib.SMTPDataError as error:
        told = f"content refused: {error.smtp_code} {_anonymous(error.smtp_error)}"
        raise _meaning(error.smtp_code)(told) from None
    except (OSError, smtplib.SMTPException) as error:  # a refused login or sender too: ours to mend
        raise MailServerError(_anonymous(repr(error))) from None


def _connect() -> smtplib.SMTP:
    url = urlsplit(settings.current().smtp_url)
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    server = kind(
        url.hostname or "127.0.0.1", url.port or 0, timeout=settings.current().smtp_timeout_seconds
    )
    if url.username:
        if url.scheme == "smtp":
            server.starttls()
        server.login(unquote(url.username), unquote(url.password or ""))
    return server


def _meaning(code: int) -> type[Exception]:
    return MailRefusedError if code >= _PERMANENT else MailServerError


def _anonymous(words: bytes | str) -> str:
    said = words.decode(errors="replace") if isinstance(words, bytes) else words
    return re.sub(r"[^\s<>]+@[^\s<>]+", "(an address)", said)
