"""A mail server in the test's own process, to see what was sent."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

import pytest
from aiosmtpd.controller import Controller

import settings
from sandbox.servers import free_port


class MailServer:
    """Takes every mail, after answering with `refusals` first; settings point to it meanwhile.

    `answers` are given to a command (`MAIL`, `RCPT`, `QUIT`) instead of the usual; with `cuts`
    the line is cut as often when a mail has been taken.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.received: list[EmailMessage] = []
        self.refusals: list[str] = []
        self.answers: dict[str, str] = {}
        self.cuts = 0
        port = free_port(None)
        self._controller = Controller(self, hostname="127.0.0.1", port=port, ready_timeout=30)
        chosen = replace(settings.current(), smtp_url=f"smtp://127.0.0.1:{port}")
        monkeypatch.setattr("settings.current", lambda: chosen)

    async def handle_MAIL(self, *given: Any) -> str:  # noqa: N802
        _server, _session, envelope, envelope.mail_from, _options = given
        return self.answers.get("MAIL", "250 go on")

    async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802
        _server, _session, envelope, address, _options = given
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 go on")

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802
        return self.answers.get("QUIT", "221 bye")

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop(0)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.received.append(parsed)
        if self.cuts:
            self.cuts -= 1
            server.transport.abort()
        return "250 taken"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
