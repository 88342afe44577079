"""What PayPal lists, and what its objects leave to be looked up."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from models.intents import DisputeSnapshot, RefundSnapshot
from providers import paypal_objects
from providers.base import Page
from providers.paypal_objects import Words

_CAPTURES = "/v2/payments/captures"
_DISPUTES = "/v1/customer/disputes"
_EVENTS = "/v1/notifications/webhooks-events"
_PAGE_SIZE = "100"
_REMEMBERED = 10_000

Get = Callable[[str, str], Mapping[str, Any]]
"""Fetches a path, as a call of this name."""


class Lookups:
    """PayPal lists no orders and no captures; its events of the last 30 days stand in for it."""

    def __init__(self, get: Get, app: str) -> None:
        self._get, self._app = get, app
        self._order_of = lru_cache(maxsize=_REMEMBERED)(self._asked_order_of)

    def pages(self, kind: str, since: datetime, until: datetime | None) -> Iterator[Page[Words]]:
        """What events of one type are about, newest first, a call for each page."""
        bounds = {"start_time": _written(since)} | ({"end_time": _written(until)} if until else {})
        query = urlencode({"page_size": _PAGE_SIZE, "event_type": kind, **bounds})
        path: str | None = f"{_EVENTS}?{query}"
        while path:
            answer = self._get("list_events", path)
            if events := answer.get("events"):
                last = paypal_objects.moment(events[-1]["create_time"])
                yield Page(found=[each["resource"] for each in events], reaches=last)
            path = _next(answer) if events else None

    def refund(self, refund: Words) -> RefundSnapshot:
        """A refund with the order that it is of."""
        order_id = self._order_of(paypal_objects.capture_of(refund))
        return paypal_objects.refund(refund, self._app, order_id)

    def disputes_about(self, capture_id: str) -> list[Words]:
        """Summaries of all disputes about a capture."""
        query = urlencode({"disputed_transaction_id": capture_id})
        found: list[Words] = self._get("list_disputes", f"{_DISPUTES}?{query}")["items"]
        return found

    def dispute(self, name: str) -> DisputeSnapshot:
        """A dispute as it is now, with the order that it is about."""
        seen = self._get("fetch_dispute", f"{_DISPUTES}/{name}")
        order_id = self._order_of(seen["disputed_transactions"][0]["seller_transaction_id"])
        return paypal_objects.dispute(seen, order_id)

    def _asked_order_of(self, capture_id: str) -> str:
        return paypal_objects.order_of(self._get("fetch_capture", f"{_CAPTURES}/{capture_id}"))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _next(answer: Mapping[str, Any]) -> str | None:
    """The path of the next page, whatever host the link names."""
    for link in answer.get("links") or ():
        if link["rel"] == "next":
            parts = urlsplit(link["href"])
            return f"{parts.path}?{parts.query}"
    return None
