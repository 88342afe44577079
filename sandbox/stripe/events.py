"""Events: a snapshot of an object, kept for ever and sent to the webhook endpoint."""

import json
import secrets
import time
from datetime import UTC, datetime

from sandbox.stripe.call import API_VERSION, Call, configuration, random_id
from sandbox.stripe.errors import Document
from sandbox.stripe.store import Store


def emit(call: Call, kind: str, snapshot: Document, previous: Document | None = None) -> None:
    """Record that something happened, and plan its delivery if there is an endpoint."""
    settings = configuration(call.store)
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
        plan(call.store, event["id"])
    if endpoint and settings["thin_events"]:
        plan(call.store, call.store.add("thin_event", _thin(event))["id"])


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


def plan(store: Store, event_id: str) -> None:
    """Add the deliveries of one event in the mode that the control surface has set."""
    policy = configuration(store)["deliveries"]
    mode, seconds = policy["mode"], float(policy["seconds"])
    status = {"drop": "dropped", "hold": "held"}.get(mode, "pending")
    waits = {"delay": seconds, "reorder": secrets.SystemRandom().uniform(0, seconds)}
    due = time.time() + waits.get(mode, 0)
    for _ in range(policy["copies"] if mode == "double" else 1):
        store.rows(
            "INSERT INTO delivery (event, status, due) VALUES (:event, :status, :due)",
            event=event_id,
            status=status,
            due=due,
        )


def release(store: Store) -> None:
    """Let the deliveries that are held go out now."""
    store.rows(
        "UPDATE delivery SET status = 'pending', due = :now WHERE status = 'held'",
        now=time.time(),
    )


def delivered(store: Store, event_id: str) -> None:
    """Note that the endpoint has taken the event."""
    event = store.find("event", event_id)
    if event is not None:  # a thin one does not count them
        store.save(event | {"pending_webhooks": 0})


def deliveries(store: Store) -> list[Document]:
    """Every delivery, newest first, with its attempts and the endpoint's answers."""
    rows = store.rows(
        """
        SELECT delivery.id, event, status, attempts, json_extract(body, '$.type'),
               json_extract(body, '$.data.object.id')
        FROM delivery JOIN document ON document.id = event ORDER BY delivery.id DESC LIMIT 500
        """
    )
    return [
        {
            "id": number,
            "event": event,
            "type": kind,
            "object": subject,
            "status": status,
            "attempts": json.loads(str(attempts)),
        }
        for number, event, status, attempts, kind, subject in rows
    ]
