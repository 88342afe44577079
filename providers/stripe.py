"""Stripe, by its official SDK: one pinned API version, our own keys, no retries of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import stripe

from models.intents import (
    DisputeSnapshot,
    ListedPayment,
    PaymentRequest,
    PaymentSnapshot,
    RefundRequest,
    RefundSnapshot,
)
from providers import stripe_money, stripe_objects, stripe_signature
from providers.base import (
    InvalidSignature,
    MalformedEvent,
    Method,
    OutcomeUnknown,
    Pace,
    Page,
    ProviderEvent,
    Rejected,
)
from providers.deadline import Deadline
from providers.metrics import measured
from providers.stripe_errors import translated
from providers.stripe_events import EventReader
from providers.stripe_methods import METHODS, asked_of, is_granted
from providers.stripe_money import to_stripe
from settings import Settings

API_VERSION = "2026-10-28.endive"
_CONNECT_SECONDS = 3
_PAGE_SIZE = 100  # the most that Stripe gives
# Stripe takes 25 calls a second at each endpoint, and of an account 100 in live mode, but no
# more than 25 in all in test mode.
_ENDPOINTS_AT_ONCE = {True: 4, False: 1}
# Stripe may forget a key when it is 24 hours old (docs.stripe.com/idempotency); a repetition is
# then a new payment. Its search may find a payment an hour late (docs.stripe.com/search), and
# clocks differ, so two hours before that nothing is sent any more.
_KEY_PROTECTS = timedelta(hours=22)
_KEY_IS_FORGOTTEN = timedelta(hours=24)

T = TypeVar("T")


class Stripe:
    """Implements `PaymentProvider`."""

    def __init__(self, settings: Settings) -> None:
        seconds = settings.provider_deadline_seconds
        self._settings = settings
        self._deadline = Deadline(seconds, threads=settings.worker_threads * 2)
        self._mark = f"orders-{settings.instance}"
        self._events = EventReader(
            mark=self._mark, is_live=settings.is_production, account=settings.stripe_account
        )
        self._api = stripe.StripeClient(
            settings.stripe_secret_key or "unset",
            stripe_version=API_VERSION,
            base_addresses={"api": settings.stripe_api_base},
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, seconds)),
            max_network_retries=0,
        ).v1

    @property
    def pace(self) -> Pace:
        rate = self._settings.stripe_requests_per_second
        return Pace(rate, rate * _ENDPOINTS_AT_ONCE[self._settings.is_production])

    @property
    def methods(self) -> Sequence[Method]:
        return METHODS

    def chargeable(self, currency: str) -> range:
        return stripe_money.chargeable(currency)

    @property
    def publishable_key(self) -> str | None:
        return self._settings.stripe_publishable_key or None

    def create(self, request: PaymentRequest) -> PaymentSnapshot:
        made = _once(request, lambda: self.find(request), lambda: self._create(request))
        if not is_granted(request, made):
            self.close(replace(request, provider_payment_id=made.provider_payment_id))
            raise Rejected(f"{request.payment_method} is not available for this payment")
        return made

    def _create(self, request: PaymentRequest) -> PaymentSnapshot:
        params: Any = {
            "amount": to_stripe(request.amount_minor, request.currency),
            "currency": request.currency.lower(),
            **asked_of(request),
            "description": f"Order {request.order_number}",
            "metadata": {
                "app": self._mark,
                "order_id": str(request.order_id),
                "payment_id": str(request.payment_id),
            },
        }
        if request.is_captured_by_hand:
            params["capture_method"] = "manual"
        intents = self._api.payment_intents
        options: Any = {"idempotency_key": request.key}
        return self._payment("create", lambda: _tried(lambda: intents.create(params, options)))

    def fetch(self, request: PaymentRequest) -> PaymentSnapshot:
        payment_id, intents = _id(request), self._api.payment_intents
        return self._payment(
            "fetch", lambda: intents.retrieve(payment_id, {"expand": ["latest_charge"]})
        )

    def close(self, request: PaymentRequest) -> PaymentSnapshot:
        payment_id, intents = _id(request), self._api.payment_intents
        try:
            return self._payment(
                "close", lambda: intents.cancel(payment_id, {"cancellation_reason": "abandoned"})
            )
        except Rejected:  # it cannot be cancelled as it is: see how it is
            return self.fetch(request)

    def find(self, request: PaymentRequest) -> PaymentSnapshot | None:
        query = f"metadata['payment_id']:'{request.payment_id}' AND metadata['app']:'{self._mark}'"
        params: Any = {"query": query, "limit": 1, "expand": ["data.latest_charge"]}
        intents = self._api.payment_intents
        found = self._call("search", lambda: intents.search(params))["data"]
        return stripe_objects.payment(found[0]) if found else None

    def reserve(self, request: PaymentRequest) -> PaymentSnapshot:
        """Stripe has it reserved when the buyer pays."""
        return self.fetch(request)

    def capture(self, request: PaymentRequest) -> PaymentSnapshot:
        payment_id, intents = _id(request), self._api.payment_intents
        options: Any = {"idempotency_key": f"{request.key}-capture"}
        try:
            return self._payment("capture", lambda: intents.capture(payment_id, {}, options))
        except (Rejected, OutcomeUnknown):  # it may be captured already, or be gone
            seen = self.fetch(request)
            if seen.state == "authorised":
                raise
            return seen

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        return _once(request, lambda: self._find_refund(request), lambda: self._refund(request))

    def _refund(self, request: RefundRequest) -> RefundSnapshot:
        params: Any = {
            "payment_intent": request.provider_payment_id,
            "amount": to_stripe(request.amount_minor, request.currency),
            "metadata": {
                "app": self._mark,
                "order_id": str(request.order_id),
                "payment_id": str(request.payment_id),
                "refund_id": str(request.refund_id),
            },
        }
        if request.reason:
            params["reason"] = request.reason
        options: Any = {"idempotency_key": request.key}
        made = self._call("refund", lambda: self._api.refunds.create(params, options))
        return stripe_objects.refund(made, self._mark)

    def _find_refund(self, request: RefundRequest) -> RefundSnapshot | None:
        ours = (
            each
            for each in self.refunds_of(request.provider_payment_id)
            if each.marked_refund_id == request.refund_id
        )
        return next(ours, None)

    def refunds_of(self, provider_payment_id: str) -> list[RefundSnapshot]:
        bounds = {"payment_intent": provider_payment_id}
        pages = self._pages("list_refunds", self._api.refunds.list, bounds)
        return [stripe_objects.refund(each, self._mark) for page in pages for each in page]

    def fetch_refund(self, provider_refund_id: str) -> RefundSnapshot:
        seen = self._call("fetch_refund", lambda: self._api.refunds.retrieve(provider_refund_id))
        return stripe_objects.refund(seen, self._mark)

    def disputes_of(self, provider_payment_id: str) -> list[DisputeSnapshot]:
        bounds = {"payment_intent": provider_payment_id}
        pages = self._pages("list_disputes", self._api.disputes.list, bounds)
        return [stripe_objects.dispute(each) for page in pages for each in page]

    def list_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[ListedPayment]]:
        for page in self._pages("list", self._api.payment_intents.list, _made(since, until)):
            seen = (stripe_objects.listed(each, self._mark) for each in page)
            yield _page(page, [each for each in seen if each is not None])

    def refunds_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[RefundSnapshot]]:
        for page in self._pages("list_refunds", self._api.refunds.list, _made(since, until)):
            yield _page(page, [stripe_objects.refund(each, self._mark) for each in page])

    def disputes_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[DisputeSnapshot]]:
        for page in self._pages("list_disputes", self._api.disputes.list, _made(since, until)):
            yield _page(page, [stripe_objects.dispute(each) for each in page])

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        signature = headers.get("Stripe-Signature", "")
        if not stripe_signature.is_signed(body, signature, self._settings.stripe_webhook_secret):
            raise InvalidSignature("no signature of ours fits this body, now")
        try:
            return self.read_event(orjson.loads(body))  # strict: what it reads can be stored
        except orjson.JSONDecodeError as error:
            raise MalformedEvent(str(error)) from error

    def read_event(self, body: Mapping[str, Any]) -> ProviderEvent:
        return self._events.read(body)

    def _pages(
        self, name: str, list_: Callable[[Any], Any], bounds: Mapping[str, Any]
    ) -> Iterator[list[dict[str, Any]]]:
        """The objects of a list, newest first, a call for each page."""
        params = {"limit": _PAGE_SIZE, **bounds}
        has_more = True
        while has_more:
            answer = self._call(name, lambda: list_(params))  # noqa: B023 - called at once
            if page := answer["data"]:
                yield page
                params = {**params, "starting_after": page[-1]["id"]}
            has_more = page and answer["has_more"]

    def _payment(self, name: str, function: Callable[[], Any]) -> PaymentSnapshot:
        return stripe_objects.payment(self._call(name, function))

    def _call(self, name: str, function: Callable[[], Any]) -> dict[str, Any]:
        """What Stripe answers."""
        with measured("stripe", name), translated():
            answer: dict[str, Any] = self._deadline.call(function).to_dict()
        return answer


def _tried(create: Callable[[], Any]) -> Any:
    """The intent, also if the try that was made along with it was declined: it stays open."""
    try:
        return create()
    except stripe.CardError as error:
        if error.error is None or error.error.payment_intent is None:
            raise
        return error.error.payment_intent


def _made(since: datetime, until: datetime | None) -> dict[str, Any]:
    bounds = {"gte": since, "lte": until}
    return {"created": {name: int(end.timestamp()) for name, end in bounds.items() if end}}


def _page(objects: Sequence[Mapping[str, Any]], found: Sequence[T]) -> Page[T]:
    return Page(found=found, reaches=stripe_objects.moment(objects[-1]["created"]))


def _once(
    request: PaymentRequest | RefundRequest, find: Callable[[], T | None], make: Callable[[], T]
) -> T:
    """What the request has made before, or else makes now; never two.

    What may be there is looked for first: Stripe repeats even a 500 to a key that it remembers.
    """
    if request.is_unknown or request.age >= _KEY_PROTECTS:
        found = find()
        if found is not None:
            return found
    if _KEY_PROTECTS <= request.age < _KEY_IS_FORGOTTEN:
        raise OutcomeUnknown("not found, and its key is about to be forgotten")
    return make()


def _id(request: PaymentRequest) -> str:
    if request.provider_payment_id is None:
        raise Rejected("the provider has not named this payment yet")
    return request.provider_payment_id
