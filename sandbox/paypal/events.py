"""Events: a snapshot of an object, kept for ever, listed, and sent to the webhook endpoint."""

from datetime import datetime
from urllib.parse import urlencode

from sandbox.paypal.call import Call, random_id, written
from sandbox.paypal.errors import invalid
from sandbox.provider import deliveries
from sandbox.provider.refusal import Document
from sandbox.provider.store import NEWEST

RESOURCES = {
    "CHECKOUT.ORDER": ("checkout-order", "2.0"),
    "PAYMENT.AUTHORIZATION": ("authorization", "2.0"),
    "PAYMENT.CAPTURE": ("capture", "2.0"),
    "PAYMENT.REFUND": ("refund", "2.0"),
    "CUSTOMER.DISPUTE": ("dispute", "1.0"),
}
KNOWN = {"page_size", "start_time", "end_time", "transaction_id", "event_type", "next_page_token"}
PATH = "/v1/notifications/webhooks-events"


def emit(call: Call, kind: str, resource: Document) -> None:
    """Record that something happened, and plan its delivery if there is an endpoint."""
    name, version = RESOURCES[kind.rpartition(".")[0]]
    if kind == "PAYMENT.CAPTURE.REFUNDED":
        name = "refund"
    event_id = random_id("WH-")
    call.store.add(
        "event",
        {
            "id": event_id,
            "created": call.now,
            "event_version": "1.0",
            "create_time": written(call.now),
            "resource_type": name,
            "resource_version": version,
            "event_type": kind,
            "summary": kind.replace(".", " ").capitalize(),
            "resource": resource,
            "links": [
                call.link("self", f"{PATH}/{event_id}"),
                call.link("resend", f"{PATH}/{event_id}/resend", "POST"),
            ],
        },
    )
    if call.store.configuration()["webhook_url"]:
        deliveries.plan(call.store, event_id)


def shown(event: Document) -> Document:
    """An event as PayPal shows and sends it."""
    return {name: value for name, value in event.items() if name != "created"}


def listed(call: Call, _: str, query: Document) -> Document:
    """One page of the events, newest first, between two times and of one type."""
    if set(query) - KNOWN:
        raise invalid("INVALID_PARAMETER_VALUE", f"unknown: {sorted(set(query) - KNOWN)}")
    size = int(query.get("page_size", 10))
    before = int(query.get("next_page_token", NEWEST))
    found = call.store.newest(
        "event",
        where={"event_type": [query["event_type"]]} if "event_type" in query else None,
        since=_moment(query.get("start_time"), 0),
        until=_moment(query.get("end_time"), NEWEST),
        before=before,
        mentioning=query.get("transaction_id", ""),
        limit=size + 1,
    )
    page = found[:size]
    links = [call.link("self", PATH)]
    if len(found) > size:
        last = call.store.position("event", page[-1]["id"], "id")
        following = urlencode(query | {"next_page_token": last})
        links.append(call.link("next", f"{PATH}?{following}"))
    return {"events": [shown(each) for each in page], "count": len(page), "links": links}


def resend(call: Call, event_id: str, _: Document) -> Document:
    """Plan one more delivery."""
    event = call.store.get("event", event_id)
    deliveries.plan(call.store, event_id)
    return shown(event)


def _moment(text: str | None, default: int) -> int:
    return int(datetime.fromisoformat(text).timestamp()) if text else default
