"""Events: a snapshot of an object, kept for ever, signed and sent to the webhook endpoint."""

import hashlib
import hmac
import time
from datetime import UTC, datetime

from sandbox.provider import deliveries
from sandbox.provider.account import Wording
from sandbox.provider.store import Store
from sandbox.stripe.call import API_VERSION, Call, random_id
from sandbox.stripe.errors import Document


def emit(call: Call, kind: str, snapshot: Document, previous: Document | None = None) -> None:
    """Record that something happened, and plan its delivery if there is an endpoint."""
    settings = call.store.configuration()
    endpoint = settings["webhook_url"]
    data: Document = {"object": snapshot} | ({"previous_attributes": previous} if previous else {})
    event: Document = {
        "id": random_id("evt_3"),
        "object": "event",
        "api_version": API_VERSION,
        "created": call.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1 if endpoint else 0,
        "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
        "type": kind,
    }
    call.store.add("event", event)
    if endpoint:
        deliveries.plan(call.store, event["id"])
    if endpoint and settings["thin_events"]:
        deliveries.plan(call.store, call.store.add("thin_event", _thin(event))["id"])


def _thin(event: Document) -> Document:
    """The form of API v2: what happened to which object, and nothing of the object itself."""
    subject, cause = event["data"]["object"], event["request"]
    return {
        "id": random_id("evt_test_6"),
        "object": "v2.core.event",
        "context": None,
        "created": datetime.fromtimestamp(event["created"], UTC).isoformat(),
        "livemode": False,
        "reason": {"type": "request", "request": cause} if cause["id"] else None,
        "related_object": {
            "id": subject["id"],
            "type": subject["object"],
            "url": f"/v1/{subject['object']}s/{subject['id']}",
        },
        "snapshot_event": event["id"],
        "type": f"v1.{event['type']}",
    }


def find(store: Store, event_id: str) -> Document | None:
    """Return an event, thin or not, or None."""
    return store.find("event", event_id) or store.find("thin_event", event_id)


def delivered(store: Store, event_id: str) -> None:
    """Note that the endpoint has taken the event; a thin one does not count them."""
    store.rows(
        "UPDATE document SET body = json_set(body, '$.pending_webhooks', 0) "
        "WHERE kind = 'event' AND id = :id",
        id=event_id,
    )


def sign(store: Store, payload: bytes) -> dict[str, str]:
    """The headers of a payload that is sent now, with its `Stripe-Signature`."""
    secret, sent_at = store.configuration()["webhook_secret"], int(time.time())
    signed = hmac.new(secret.encode(), b"%d." % sent_at + payload, hashlib.sha256)
    return {
        "Stripe-Signature": f"t={sent_at},v1={signed.hexdigest()}",
        "User-Agent": "Stripe/1.0 (sandbox)",
    }


WORDING = Wording(
    find=find, sign=sign, delivered=delivered, kind="$.type", subject="$.data.object.id"
)
