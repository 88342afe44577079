"""Events that providers have sent: stored whole, looked at, and replayed."""

import orjson
from flask import Response, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from models import event_desk, webhook_event
from models.session import transaction
from models.webhook_event import WebhookEvent
from web.desk.frame import act, after, allows, blueprint, desk_time, form, found, given, render
from web.errors import Problem
from web.schemas import WHY

_PAGE = 50


@blueprint.get("/desk/events/")
@allows("viewer")
def events() -> Response:
    """Stored events, newest first."""
    state = request.args.get("state")
    state = state if state in webhook_event.STATES else None
    with transaction() as session:
        rows = webhook_event.find(session, limit=_PAGE + 1, after=after(), state=state)
        clock = desk_time(session)
    return render(
        "events.html",
        events=rows[:_PAGE],
        more=rows[_PAGE - 1].id if len(rows) > _PAGE else None,
        state=state,
        states=list(webhook_event.STATES),
        clock=clock,
    )


@blueprint.get("/desk/events/<int:event_id>/")
@allows("viewer")
def event_page(event_id: int) -> Response:
    """One event, with its body as it is kept."""
    with transaction() as session:
        event = found(session.get(WebhookEvent, event_id))
        clock = desk_time(session)
    body = orjson.dumps(event.body, option=orjson.OPT_INDENT_2).decode()
    return render("event.html", event=event, body=body, clock=clock)


@blueprint.post("/desk/events/<int:event_id>/replay/")
@allows("clerk")
def event_replay(event_id: int) -> AnyResponse:
    """Have it applied now, or the provider asked."""

    def do(session: Session, who: str) -> str:
        why = given(WHY, {"why": form().get("why", "")})["why"]
        try:
            event = event_desk.replay(session, event_id, who=who, why=why)
        except event_desk.NotReplayableError as error:
            told = f"The event is {error} and about no order of ours."
            raise Problem(409, "not_replayable", told) from None
        is_waiting = event.state in ("received", "parked")
        return "It is applied now." if is_waiting else "The provider is being asked."

    return act(do, back=url_for("desk.event_page", event_id=event_id))
