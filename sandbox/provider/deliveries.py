"""Deliveries of events to the webhook endpoint: planned, held, dropped, and looked at."""

import json
import secrets
import time

from sandbox.provider.account import Wording
from sandbox.provider.refusal import Document
from sandbox.provider.store import Store


def plan(store: Store, event_id: str) -> None:
    """Add the deliveries of one event in the mode that the control surface has set."""
    policy = store.configuration()["deliveries"]
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


def listed(store: Store, wording: Wording) -> list[Document]:
    """Every delivery, newest first, with its attempts and the endpoint's answers."""
    rows = store.rows(
        """
        SELECT delivery.id, event, status, attempts, json_extract(body, :kind),
               json_extract(body, :subject)
        FROM delivery JOIN document ON document.id = event ORDER BY delivery.id DESC LIMIT 500
        """,
        kind=wording.kind,
        subject=wording.subject,
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
