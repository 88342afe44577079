"""The least HTTP client: it must cost little beside the server that it asks."""

import asyncio
import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: int | None
    """Seconds."""


class Client:
    """One connection, opened again when the server has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._close()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Answer:
        """The answer to one request; `headers` are lines that end in CRLF."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n".encode()
            + body
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        answered = await self._reader.readexactly(int(length[1]) if length else 0)
        if _CLOSE.search(head):
            self._close()
        pause = _RETRY_AFTER.search(head)
        return Answer(int(head.split(b" ", 2)[1]), answered, int(pause[1]) if pause else None)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
