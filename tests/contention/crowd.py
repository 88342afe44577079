"""Buyers who come in one rush, each on a connection of their own.

Whoever is turned away because the shop is busy comes back when told to, with the same key.
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.shop import order_body

_PATIENCE_SECONDS = 60
_BUSY = 503


class Answer(NamedTuple):
    status: int
    headers: str
    body: Mapping[str, Any]
    seconds: float
    """From the first packet to the last byte."""
    refusals: Sequence["Answer"] = ()
    """What this buyer was told before, each time that the shop was busy."""

    @property
    def tries(self) -> Sequence["Answer"]:
        return (*self.refusals, self)

    @property
    def code(self) -> str | None:
        """Which problem it is."""
        return self.body.get("code")

    @property
    def is_shed(self) -> bool:
        """Turned away at the door: the application, which names every request, never saw it."""
        return self.status == _BUSY and "X-Request-Id" not in self.headers

    @property
    def retry_after(self) -> int:
        """In how many seconds to come back."""
        (told,) = re.findall(r"^Retry-After: (\d+)", self.headers, re.MULTILINE)
        return int(told)


def rush(
    url: str,
    orders: Sequence[Mapping[str, Any]],
    *,
    within: float = 0.0,
    at_a_time: int | None = None,
    is_patient: bool = True,
) -> list[Answer]:
    """Place each order, one every so often, so that the last is sent after `within` seconds.

    No more than so many `at_a_time` wait for their answers; the others come as these have gone.
    """
    door = asyncio.Semaphore(at_a_time or len(orders))
    return asyncio.run(_rush(url, orders, within, door, is_patient))


async def _rush(
    url: str,
    orders: Sequence[Mapping[str, Any]],
    within: float,
    door: asyncio.Semaphore,
    is_patient: bool,
) -> list[Answer]:
    async def come(number: int, request: bytes) -> Answer:
        await asyncio.sleep(number * within / len(orders))
        refusals: list[Answer] = []
        async with door:
            while (answer := await _place(url, request)).status == _BUSY and is_patient:
                refusals.append(answer)
                await asyncio.sleep(answer.retry_after)
        return answer._replace(refusals=refusals)

    requests = [_request(url, order) for order in orders]
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return await asyncio.gather(*map(come, range(len(orders)), requests))


async def _place(url: str, request: bytes) -> Answer:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    writer.write(request)
    answered = await reader.read()
    writer.close()
    head, _, body = answered.partition(b"\r\n\r\n")
    seconds = time.monotonic() - began
    return Answer(int(head.split()[1]), head.decode(), json.loads(body), seconds)


def _request(url: str, order: Mapping[str, Any]) -> bytes:
    body = json.dumps(order_body(**order)).encode()
    return (
        f"POST /orders/create/ HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Idempotency-Key: {secrets.token_hex(16)}\r\n\r\n"
    ).encode() + body
