"""Stripe, by its official SDK: one pinned API version, our own keys, no retries of its own."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
import stripe

from models.intents import ListedPayment, PaymentRequest, PaymentSnapshot
from providers import stripe_objects
from providers.base import (
    InvalidSignature,
    MalformedEvent,
    OutcomeUnknown,
    ProviderEvent,
    RateLimited,
    Rejected,
)
from providers.deadline import Deadline
from providers.metrics import measured
from settings import Settings

API_VERSION = "2026-10-28.endive"
_CONNECT_SECONDS = 3
_PAGE_SIZE = 100  # the most that Stripe gives
_SIGNATURE_TOLERANCE_SECONDS = 300
# Stripe may forget a key when it is 24 hours old; a repetition would then be a new payment.
_KEY_MEMORY_SECONDS = 23 * 3600


class Stripe:
    """Implements `PaymentProvider`."""

    def __init__(self, settings: Settings) -> None:
        seconds = settings.provider_deadline_seconds
        self._settings = settings
        self._deadline = Deadline(seconds, threads=settings.worker_threads * 2)
        self._mark = f"orders-{settings.instance}"
        self._client = stripe.StripeClient(
            settings.stripe_secret_key or "unset",
            stripe_version=API_VERSION,
            base_addresses={"api": settings.stripe_api_base},
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, seconds)),
            max_network_retries=0,
        )
        self._intents = self._client.v1.payment_intents

    @property
    def minimum_minor(self) -> Mapping[str, int]:
        return stripe_objects.MINIMUM_MINOR

    @property
    def publishable_key(self) -> str | None:
        return self._settings.stripe_publishable_key or None

    def create(self, request: PaymentRequest) -> PaymentSnapshot:
        if request.age.total_seconds() > _KEY_MEMORY_SECONDS:
            found = self._find(request)
            if found is not None:
                return found
        return self._call(
            "create",
            lambda: self._intents.create(
                {
                    "amount": stripe_objects.to_stripe(request.amount_minor, request.currency),
                    "currency": request.currency.lower(),
                    "automatic_payment_methods": {"enabled": True},
                    "description": f"Order {request.order_number}",
                    "metadata": {
                        "app": self._mark,
                        "order_id": str(request.order_id),
                        "payment_id": str(request.payment_id),
                    },
                },
                {"idempotency_key": request.key},
            ),
        )

    def fetch(self, request: PaymentRequest) -> PaymentSnapshot:
        return self._call("fetch", lambda: self._intents.retrieve(_id(request)))

    def close(self, request: PaymentRequest) -> PaymentSnapshot:
        try:
            return self._call(
                "close",
                lambda: self._intents.cancel(
                    _id(request),
                    {"cancellation_reason": "abandoned"},
                ),
            )
        except Rejected:  # it cannot be cancelled as it is: see how it is
            return self.fetch(request)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        signature = headers.get("Stripe-Signature", "")
        if not any(_is_signed(body, signature, s) for s in self._settings.stripe_webhook_secret):
            raise InvalidSignature("no signature of ours fits this body, now")
        try:
            return self.read_event(orjson.loads(body))  # strict: what it reads can be stored
        except orjson.JSONDecodeError as error:
            raise MalformedEvent(str(error)) from error

    def read_event(self, body: Mapping[str, Any]) -> ProviderEvent:
        return stripe_objects.event(
            body,
            mark=self._mark,
            is_live=self._settings.is_production,
            account=self._settings.stripe_account,
        )

    def list_since(self, since: datetime) -> Iterator[ListedPayment]:
        bounds: Any = {"limit": _PAGE_SIZE, "created": {"gte": int(since.timestamp())}}
        while page := self._page(bounds):
            yield from filter(None, (stripe_objects.listed(each, self._mark) for each in page))
            bounds = {**bounds, "starting_after": page[-1]["id"]}

    def _page(self, bounds: Any) -> list[dict[str, Any]]:
        with measured("stripe", "list"), _translated():
            page = self._deadline.call(lambda: self._intents.list(bounds))
        return [intent.to_dict() for intent in page.data]

    def _find(self, request: PaymentRequest) -> PaymentSnapshot | None:
        mark = self._our_mark(request)
        with measured("stripe", "search"), _translated():
            found = self._deadline.call(
                lambda: self._intents.search({"query": mark, "limit": 1})
            ).data
        return stripe_objects.snapshot(found[0].to_dict()) if found else None

    def _our_mark(self, request: PaymentRequest) -> str:
        payment_id = f"metadata['payment_id']:'{request.payment_id}'"
        return f"{payment_id} AND metadata['app']:'{self._mark}'"

    def _call(self, name: str, intent: Callable[[], stripe.PaymentIntent]) -> PaymentSnapshot:
        with measured("stripe", name), _translated():
            answer = self._deadline.call(intent)
        return stripe_objects.snapshot(answer.to_dict())


def _id(request: PaymentRequest) -> str:
    if request.provider_payment_id is None:
        raise Rejected("the provider has not named this payment yet")
    return request.provider_payment_id


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what a call means instead of how the SDK says it."""
    try:
        yield
    except stripe.RateLimitError as error:
        raise RateLimited(str(error)) from error
    except (stripe.APIError, stripe.APIConnectionError) as error:  # 409, 5xx, time-outs, resets
        raise OutcomeUnknown(str(error)) from error
    except stripe.StripeError as error:
        raise Rejected(f"{type(error).__name__}: {error}") from error


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    if not signature.isascii():  # which the SDK cannot compare
        return False
    try:
        payload = body.decode()
        stripe.WebhookSignature.verify_header(
            payload, signature, secret, tolerance=_SIGNATURE_TOLERANCE_SECONDS
        )
    except (UnicodeDecodeError, stripe.SignatureVerificationError):
        return False
    return not _is_from_the_future(signature)


def _is_from_the_future(signature: str) -> bool:
    """The SDK refuses old deliveries only; one dated ahead could be replayed for hours."""
    fields = [part.split("=") for part in signature.split(",")]
    signed_at = next(int(field[1]) for field in fields if field[0] == "t")  # as the SDK reads it
    return signed_at > time.time() + _SIGNATURE_TOLERANCE_SECONDS
