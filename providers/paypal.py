"""PayPal, by Orders v2 and Payments v2 over HTTP: our own keys, no retries of its own.

The payment's id is that of its order. An order takes no money by itself: the buyer approves it,
and then we capture it, once, or have it reserved first. So what was never captured may be
forgotten, and a second order that a lost answer left behind is harmless: nobody has its link, and
its invoice is paid once at most.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson

from models.intents import (
    DisputeSnapshot,
    ListedPayment,
    PaymentRequest,
    PaymentSnapshot,
    RefundRequest,
    RefundSnapshot,
)
from providers import paypal_money, paypal_objects
from providers.base import (
    MalformedEvent,
    Method,
    Pace,
    Page,
    ProviderEvent,
    Rejected,
)
from providers.deadline import Deadline
from providers.metrics import measured
from providers.paypal_events import EventReader
from providers.paypal_http import Client, Refused
from providers.paypal_lookups import Lookups
from providers.paypal_marks import Mark
from providers.paypal_objects import ORDERS
from providers.paypal_signature import Verifier
from providers.paypal_taking import Taking
from settings import Settings

_LIVE_API = "api-m.paypal.com"
_LONGEST_NAME = 127
# PayPal knows a request for 6 hours (the documents, at `PayPal-Request-Id`); clocks differ.
_KEY_PROTECTS = timedelta(hours=5)
_SLACK = timedelta(minutes=5)
_NOT_CAPTURED = ("open", "authorised")
_MARKETS = dict.fromkeys(paypal_money.DECIMALS)

T = TypeVar("T")


class PayPal:
    """Implements `PaymentProvider`."""

    def __init__(self, settings: Settings) -> None:
        seconds, base = settings.provider_deadline_seconds, settings.paypal_api_base
        self._settings = settings
        self._deadline = Deadline(seconds, threads=settings.worker_threads * 2)
        self._app = f"orders-{settings.instance}"
        self._is_live = urlsplit(base).hostname == _LIVE_API
        self._events = EventReader(app=self._app, is_live=self._is_live)
        self._verifier = Verifier(base, settings.paypal_webhook_id)
        client_id, secret = settings.paypal_client_id, settings.paypal_client_secret
        self._api = Client(base, client_id, secret, seconds)
        self._lookups = Lookups(self._get, self._app)
        self._taking = Taking(self._api, self._snapshot)

    @property
    def pace(self) -> Pace:
        """PayPal says no figure: what it bears of an account, it decides from case to case."""
        rate = self._settings.paypal_requests_per_second
        return Pace(rate, rate)

    @property
    def methods(self) -> tuple[Method, ...]:
        return (Method(name="paypal", is_redirect=True, markets=_MARKETS),)

    def chargeable(self, currency: str) -> range:
        return paypal_money.chargeable(currency)

    @property
    def publishable_key(self) -> str | None:
        return self._settings.paypal_client_id or None

    def create(self, request: PaymentRequest) -> PaymentSnapshot:
        if request.age >= _KEY_PROTECTS:
            found = self.find(request)
            if found is not None:
                return found
        order = self._order_for(request)
        return self._snapshot(
            self._call("create", lambda: self._api.call("POST", ORDERS, order, key=request.key))
        )

    def _order_for(self, request: PaymentRequest) -> dict[str, Any]:
        back = request.return_url or self._settings.public_url
        return {
            "intent": "AUTHORIZE" if request.is_captured_by_hand else "CAPTURE",
            "purchase_units": [
                {
                    "amount": paypal_money.to_paypal(request.amount_minor, request.currency),
                    "custom_id": str(Mark(self._app, request.payment_id)),
                    "invoice_id": request.key,
                    "description": f"Order {request.order_number}",
                }
            ],
            "payment_source": {
                "paypal": {
                    "experience_context": {
                        "brand_name": self._settings.shop_name[:_LONGEST_NAME],
                        "shipping_preference": "NO_SHIPPING",
                        "user_action": "PAY_NOW",
                        "return_url": back,
                        "cancel_url": back,
                    }
                }
            },
        }

    def fetch(self, request: PaymentRequest) -> PaymentSnapshot:
        path = _path(request)
        try:
            return self._snapshot(self._get("fetch", path))
        except Refused as error:
            if error.status != HTTPStatus.NOT_FOUND or request.age < paypal_objects.APPROVAL_LASTS:
                raise
        return _forgotten(request, is_live=self._is_live)

    def close(self, request: PaymentRequest) -> PaymentSnapshot:
        """PayPal cannot cancel an order: one that nobody captures takes no money.

        Nobody does: only an order that still wants its payment has it captured, and none that is
        closing does. What is reserved is let go.
        """
        seen = self.fetch(request)
        if seen.state == "authorised" and not seen.is_agreed_only:
            path = _path(request)
            seen = self._call("void", lambda: self._taking.released(path))
        if seen.state not in _NOT_CAPTURED:
            return seen
        return replace(
            seen, state="cancelled", redirect_url=None, capture_before=None, is_agreed_only=False
        )

    def find(self, request: PaymentRequest) -> PaymentSnapshot | None:
        """What no buyer has approved is not found, and nothing can be missed by it."""
        mark = str(Mark(self._app, request.payment_id))
        since = datetime.now(UTC) - request.age - _SLACK
        for page in self._lookups.pages("CHECKOUT.ORDER.APPROVED", since, None):
            for order in page.found:
                if order["purchase_units"][0].get("custom_id") == mark:
                    return self.fetch(replace(request, provider_payment_id=order["id"]))
        return None

    def reserve(self, request: PaymentRequest) -> PaymentSnapshot:
        path = _path(request)
        return self._call("reserve", lambda: self._taking.reserved(path))

    def capture(self, request: PaymentRequest) -> PaymentSnapshot:
        path = _path(request)
        return self._call("capture", lambda: self._taking.captured(path))

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        return self._call("refund", lambda: self._refunded(request))

    def _refunded(self, request: RefundRequest) -> RefundSnapshot:
        """PayPal says with an order what was captured of it, and what was given back before."""
        order = self._api.call("GET", f"{ORDERS}/{request.provider_payment_id}")
        mark = Mark(self._app, request.payment_id, request.refund_id)
        ours = [
            each for each in paypal_objects.refunds_of(order) if each.get("custom_id") == str(mark)
        ]
        made = ours[0] if ours else self._give_back(order, request, mark)
        return paypal_objects.refund(made, self._app, request.provider_payment_id)

    def _give_back(
        self, order: Mapping[str, Any], request: RefundRequest, mark: Mark
    ) -> dict[str, Any]:
        captures = paypal_objects.captures_of(order)
        if not captures:
            raise Rejected("nothing was captured of this order")
        body = {
            "amount": paypal_money.to_paypal(request.amount_minor, request.currency),
            "custom_id": str(mark),
            "invoice_id": request.key,
        }
        path = f"/v2/payments/captures/{captures[-1]['id']}/refund"
        return self._api.call("POST", path, body, key=request.key)

    def refunds_of(self, provider_payment_id: str) -> list[RefundSnapshot]:
        order = self._get("list_refunds", f"{ORDERS}/{provider_payment_id}")
        return [
            paypal_objects.refund(each, self._app, provider_payment_id)
            for each in paypal_objects.refunds_of(order)[::-1]
        ]

    def fetch_refund(self, provider_refund_id: str) -> RefundSnapshot:
        seen = self._get("fetch_refund", f"/v2/payments/refunds/{provider_refund_id}")
        return self._lookups.refund(seen)

    def disputes_of(self, provider_payment_id: str) -> list[DisputeSnapshot]:
        order = self._get("fetch", f"{ORDERS}/{provider_payment_id}")
        return [
            self._lookups.dispute(summary["dispute_id"])
            for capture in paypal_objects.captures_of(order)
            for summary in self._lookups.disputes_about(capture["id"])
        ]

    def list_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[ListedPayment]]:
        """Of PayPal's events, those of captures: an order that is not paid is in no list."""
        for page in self._lookups.pages("PAYMENT.CAPTURE.COMPLETED", since, until):
            seen = (paypal_objects.listed(each, self._app) for each in page.found)
            yield Page(found=[each for each in seen if each], reaches=page.reaches)

    def refunds_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[RefundSnapshot]]:
        for page in self._lookups.pages("PAYMENT.CAPTURE.REFUNDED", since, until):
            yield Page(found=[*map(self._lookups.refund, page.found)], reaches=page.reaches)

    def disputes_since(
        self, since: datetime, until: datetime | None = None
    ) -> Iterator[Page[DisputeSnapshot]]:
        for page in self._lookups.pages("CUSTOMER.DISPUTE.CREATED", since, until):
            names = [each["dispute_id"] for each in page.found]
            yield Page(found=[*map(self._lookups.dispute, names)], reaches=page.reaches)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        self._verifier.verify(body, headers)
        try:
            return self.read_event(orjson.loads(body))  # strict: what it reads can be stored
        except orjson.JSONDecodeError as error:
            raise MalformedEvent(str(error)) from error

    def read_event(self, body: Mapping[str, Any]) -> ProviderEvent:
        return self._events.read(body)

    def _snapshot(self, order: Mapping[str, Any]) -> PaymentSnapshot:
        return paypal_objects.order(order, is_live=self._is_live)

    def _get(self, name: str, path: str) -> dict[str, Any]:
        return self._call(name, lambda: self._api.call("GET", path))

    def _call(self, name: str, function: Callable[[], T]) -> T:
        """What becomes of a call, or of several that are one to us, in the time of one."""
        with measured("paypal", name):
            return self._deadline.call(function)


def _path(request: PaymentRequest) -> str:
    if request.provider_payment_id is None:
        raise Rejected("the provider has not named this payment yet")
    return f"{ORDERS}/{request.provider_payment_id}"


def _forgotten(request: PaymentRequest, *, is_live: bool) -> PaymentSnapshot:
    """An order that PayPal knows no more, as it does what was not paid in time."""
    return PaymentSnapshot(
        provider_payment_id=request.provider_payment_id or "",
        state="cancelled",
        amount_minor=request.amount_minor,
        received_minor=0,
        currency=request.currency,
        is_live=is_live,
    )
