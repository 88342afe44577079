"""What the sink has taken: one `.eml` file for each recipient, so that a restart loses nothing."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as one recipient got it; `received_at` is ISO 8601 in UTC."""

    number: int
    sender: str
    to: str
    subject: str
    message_id: str
    text: str
    html: str
    received_at: str


class Mailbox:
    """The mails of a directory in the order of their arrival, each read when it is asked for.

    Safe for threads.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._lock = threading.Lock()
        self._mails: dict[int, Mail | None] = dict.fromkeys(
            sorted(int(path.stem) for path in directory.glob("*.eml"))
        )
        self._last = max(self._mails, default=0)

    def store(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Keep one copy for each recipient before it returns."""
        for recipient in recipients:
            with self._lock:
                self._last += 1
                self._write(self._last, _envelope(sender, recipient) + content)

    def all(self) -> list[Mail]:
        with self._lock:
            return [self._mail(number) for number in self._mails]

    def get(self, number: int) -> Mail | None:
        with self._lock:
            return self._mail(number) if number in self._mails else None

    def clear(self) -> None:
        with self._lock:
            for number in self._mails:
                self._path(number).unlink()
            self._mails.clear()

    def _mail(self, number: int) -> Mail:
        found = self._mails[number]
        if found is None:
            found = self._mails[number] = _read(number, self._path(number).read_bytes())
        return found

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:08}.eml"

    def _write(self, number: int, content: bytes) -> None:
        unfinished = self._path(number).with_suffix(".new")
        unfinished.write_bytes(content)
        unfinished.rename(self._path(number))
        self._mails[number] = None


def _envelope(sender: str, recipient: str) -> bytes:
    """The trace headers that a mail server puts before a mail."""
    now = format_datetime(datetime.now(UTC))
    lines = (f"Return-Path: <{sender}>", f"Delivered-To: {recipient}", f"Delivery-Date: {now}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _read(number: int, content: bytes) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    return Mail(
        number=number,
        sender=str(message["Return-Path"]).strip("<>"),
        to=str(message["Delivered-To"]),
        subject=str(message.get("Subject", "")),
        message_id=str(message.get("Message-ID", "")),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        received_at=parsedate_to_datetime(str(message["Delivery-Date"])).isoformat(),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""
