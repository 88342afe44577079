"""Webhooks: verified, stored whole, applied by a worker."""

import time
from typing import Any

from flask import request

from models import webhook_event
from models.session import at_once
from providers import registry
from providers.base import InvalidSignature, MalformedEvent, OutcomeUnknown
from providers.metrics import Histogram
from web.api import Blueprint
from web.errors import Problem
from web.parsing import read_body
from web.representations import WEBHOOK_RECEIVED

_LARGEST_EVENT_BYTES = 1_000_000

LAG_SECONDS = Histogram(
    "orders_webhook_lag_seconds",
    "How long after it happened an event was first received.",
    ["provider"],
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)

blueprint = Blueprint("webhooks", __name__, url_prefix="/orders", description="For providers.")


@blueprint.route(
    "/webhook/",
    methods=["POST"],
    endpoint="receive_default",
    defaults={"provider": registry.NAMES[0]},
)
@blueprint.route("/webhook/<provider>/", methods=["POST"])
@blueprint.allows("everyone")
@blueprint.response(200, WEBHOOK_RECEIVED)
@blueprint.problems("invalid_signature", "malformed_event", "not_found", "body_too_large", "busy")
def receive(provider: str) -> dict[str, Any]:
    """Take a provider's signed event; one that is known already is skipped."""
    if provider not in registry.in_use():
        raise Problem(404, "not_found")
    request.max_content_length = _LARGEST_EVENT_BYTES
    body = read_body(request)
    try:
        event = registry.get(provider).parse_webhook(body, dict(request.headers))
    except InvalidSignature:
        raise Problem(400, "invalid_signature") from None
    except MalformedEvent as error:
        raise Problem(400, "malformed_event", str(error)) from None
    except OutcomeUnknown:  # whether it is the provider's could not be found out: it comes again
        raise Problem(503, "busy", headers={"Retry-After": "1"}) from None
    with at_once() as session:
        is_new = webhook_event.store(
            session,
            provider=provider,
            event_id=event.event_id,
            type_=event.type,
            body=dict(event.body),
            occurred_at=event.occurred_at,
            ignored_because=event.foreign_because or event.idle_because,
        )
    if not is_new:
        return {"skipped": True}
    LAG_SECONDS.labels(provider).observe(max(0.0, time.time() - event.occurred_at.timestamp()))
    return {"received": True}
