"""The least HTTP client: it must cost little beside the server that it asks."""

import asyncio
import re
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_HEAD_ENDS = b"\r\n\r\n"


class Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: int | None
    """Seconds."""


class _Line(asyncio.Protocol):
    """A connection on which one request at a time is answered."""

    def __init__(self) -> None:
        self._came = b""
        self._answer: asyncio.Future[Answer] | None = None
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._came += data
        ends = self._came.find(_HEAD_ENDS)
        if ends < 0 or self._answer is None:
            return
        head, body = self._came[: ends + 2], self._came[ends + len(_HEAD_ENDS) :]
        length = _LENGTH.search(head)
        if length and len(body) < int(length[1]):
            return
        self._came = b""
        if _CLOSE.search(head):
            self.close()
        pause = _RETRY_AFTER.search(head)
        status = int(head.split(b" ", 2)[1])
        answer, self._answer = self._answer, None
        answer.set_result(Answer(status, body, int(pause[1]) if pause else None))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._answer is not None:
            self._answer.set_exception(error or ConnectionError("closed before it answered"))

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
        self.transport = None


class Client:
    """One connection, opened again when the server has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._line = _Line()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._line.close()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Answer:
        """The answer to one request; `headers` are lines that end in CRLF."""
        if self._line.transport is None:
            loop = asyncio.get_running_loop()
            _, self._line = await loop.create_connection(_Line, self._host, self._port)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        return await self._line.ask(head.encode() + body)
