"""The SMTP side of the sink."""

import asyncio
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.mail.faults import Faults
from sandbox.mail.mailbox import Mailbox

HOST = "127.0.0.1"


class Sink:
    """Takes every mail for every address, save what the faults say."""

    def __init__(self, mailbox: Mailbox, faults: Faults, port: int) -> None:
        self.port = port
        self._mailbox = mailbox
        self._faults = faults
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open the port, or do nothing if it is open; port 0 becomes a free one."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._session, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Close the port: from here on connections are refused."""
        if self._server:
            self._server.close()
            self._server = None

    def _session(self) -> SMTP:
        return SMTP(self, hostname="localhost", ident="orders sandbox", enable_SMTPUTF8=True)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks hooks up by the command's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self._faults.take("reject_recipient", address):
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if delay := self._faults.take("delay"):
            await asyncio.sleep(delay.seconds)
        if self._faults.take("reject_data"):
            return "451 4.3.0 Try again later"
        content = envelope.original_content or b""
        self._mailbox.store(envelope.mail_from or "", envelope.rcpt_tos, content)
        if self._faults.take("cut_after_data"):
            cast("asyncio.Transport", server.transport).abort()
        return "250 OK: kept"
