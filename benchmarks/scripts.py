"""What clients do, over and over; each act says which status it got, and whether that is right.

A script is told where the product is and what it needs to know; its clients have numbers.
"""

import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import urlencode

import psycopg

from benchmarks.http import Answer, Client

Told = Mapping[str, Any]
Act = Callable[[], Awaitable[tuple[int, bool]]]
Script = Callable[[Told, int], AbstractAsyncContextManager[Act]]

LINES = 3
PRICE_MINOR = 1999
_JSON = "Content-Type: application/json\r\n"
_ADDRESS = {"line1": "123 Street", "city": "Town", "postal_code": "12345", "country": "IE"}
_events = count()


@asynccontextmanager
async def look(told: Told, _number: int) -> AsyncIterator[Act]:
    """GET one of some paths."""
    async with Client(told["url"]) as client:

        async def act() -> tuple[int, bool]:
            path = random.choice(told["paths"])  # noqa: S311
            answer = await client.ask("GET", path, headers=told.get("headers", ""))
            return answer.status, answer.status == 200  # noqa: PLR2004

        yield act


@asynccontextmanager
async def create(told: Told, _number: int) -> AsyncIterator[Act]:
    """Place an order of three lines."""
    async with Client(told["url"]) as client:

        async def act() -> tuple[int, bool]:
            answer = await _place(client, told)
            assert answer.status != 503 or answer.retry_after  # noqa: PLR2004
            return answer.status, answer.status == 201  # noqa: PLR2004

        yield act


@asynccontextmanager
async def acknowledge(told: Told, number: int) -> AsyncIterator[Act]:
    """Deliver a signed event of which nobody has heard before; it is stored with its job."""
    async with Client(told["url"]) as client:

        async def act() -> tuple[int, bool]:
            event_id = f"evt_{told['number']}_{number}_{next(_events)}_{told['run']}"
            event = _succeeded(told, event_id, f"pi_{event_id}", 0, PRICE_MINOR)
            answer = await _deliver(client, told, event)
            return answer.status, answer.status == 200  # noqa: PLR2004

        yield act


@asynccontextmanager
async def book(told: Told, _number: int) -> AsyncIterator[Act]:
    """Place an order, and have it paid by a webhook; its payment is put there by SQL."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(told["url"]))
        database = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(told["database_url"], autocommit=True)
        )

        async def act() -> tuple[int, bool]:
            placed = await _place(client, told)
            if placed.status != 201:  # noqa: PLR2004
                return placed.status, False
            order_id = json.loads(placed.body)["id"]
            intent, total = f"pi_{secrets.token_hex(12)}", LINES * PRICE_MINOR
            values = {"order_id": order_id, "intent": intent, "total": total}
            row = await (await database.execute(_OPEN, values)).fetchone()
            event = _succeeded(told, f"evt_{intent}", intent, row[0] if row else 0, total)
            answer = await _deliver(client, told, event)
            return answer.status, answer.status == 200  # noqa: PLR2004

        yield act


@asynccontextmanager
async def start(told: Told, _number: int) -> AsyncIterator[Act]:
    """Start the payment of an order; it is good if the secret comes with the first answer."""
    async with Client(told["url"]) as client:

        async def act() -> tuple[int, bool]:
            order = json.loads((await _place(client, told)).body)
            answer = await _start(client, order)
            return answer.status, answer.status == 200  # noqa: PLR2004

        yield act


@asynccontextmanager
async def story(told: Told, _number: int) -> AsyncIterator[Act]:
    """Place an order, start its payment and pay; the provider tells the shop, which mails."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(told["url"]))
        provider = await stack.enter_async_context(Client(told["provider_url"]))

        async def act() -> tuple[int, bool]:
            placed = await _place(client, told)
            if placed.status != 201:  # noqa: PLR2004
                return placed.status, False
            order = json.loads(placed.body)
            started = await _start(client, order)
            while started.status == 202:  # noqa: PLR2004
                started = await _start(client, order)
            if started.status != 200:  # noqa: PLR2004
                return started.status, False
            paid = await _confirm(provider, told, json.loads(started.body)["client_secret"])
            return paid.status, paid.status == 200  # noqa: PLR2004

        yield act


_OPEN = """
INSERT INTO payment (order_id, provider, state, settles, amount_minor, currency, provider_key,
                     capture, provider_payment_id, received_minor, created_at, sent_at)
VALUES (%(order_id)s, 'stripe', 'open', false, %(total)s, 'EUR', %(intent)s, 'automatic',
        %(intent)s, 0, clock_timestamp(), clock_timestamp())
RETURNING id
"""


async def _place(client: Client, told: Told) -> Answer:
    line = {"product_title": "Blue T-shirt", "unit_price": "19.99", "quantity": 1}
    skus = random.sample(range(told["skus"]), LINES)
    body = {
        "guest_email": "guest@example.com",
        "currency": "EUR",
        "items": [{**line, "product_sku": f"SKU-{sku}"} for sku in skus],
        "shipping_address": _ADDRESS,
    }
    # Each buyer comes from an address of their own, as limits and open orders are counted by it.
    address = ".".join(str(random.randrange(256)) for _ in range(4))  # noqa: S311
    headers = f"{_JSON}Idempotency-Key: {secrets.token_hex(16)}\r\nX-Forwarded-For: {address}\r\n"
    return await client.ask("POST", "/orders/create/", json.dumps(body).encode(), headers)


async def _start(client: Client, order: Mapping[str, Any]) -> Answer:
    headers = f"{_JSON}Authorization: Bearer {order['token']}\r\nPrefer: wait=10\r\n"
    return await client.ask("POST", f"/orders/start-payment/{order['id']}/", b"{}", headers)


async def _confirm(provider: Client, told: Told, client_secret: str) -> Answer:
    body = urlencode(
        {
            "client_secret": client_secret,
            "payment_method": "pm_card_visa",
            "return_url": "http://127.0.0.1/back",
        }
    )
    headers = (
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Authorization: Bearer {told['publishable_key']}\r\n"
    )
    intent = client_secret.partition("_secret_")[0]
    path = f"/v1/payment_intents/{intent}/confirm"
    return await provider.ask("POST", path, body.encode(), headers)


async def _deliver(client: Client, told: Told, event: Mapping[str, Any]) -> Answer:
    body, stamp = json.dumps(event).encode(), int(time.time())
    signed = hmac.digest(told["webhook_secret"].encode(), f"{stamp}.".encode() + body, "sha256")
    headers = f"{_JSON}Stripe-Signature: t={stamp},v1={signed.hex()}\r\n"
    return await client.ask("POST", "/orders/webhook/", body, headers)


def _succeeded(
    told: Told, event_id: str, intent: str, payment_id: int, amount: int
) -> dict[str, Any]:
    moment = int(time.time())
    subject = {
        "id": intent,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount,
        "currency": "eur",
        "status": "succeeded",
        "livemode": False,
        "created": moment,
        "capture_method": "automatic_async",
        "client_secret": f"{intent}_secret_{hashlib.sha256(intent.encode()).hexdigest()[:24]}",
        "latest_charge": f"ch_{intent[3:]}",
        "payment_method_types": ["card"],
        "metadata": {"app": told["app"], "payment_id": str(payment_id)},
    }
    return {
        "id": event_id,
        "object": "event",
        "api_version": told["api_version"],
        "type": "payment_intent.succeeded",
        "created": moment,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": subject},
    }
