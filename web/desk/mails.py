"""Mails as their recipients see them, and sending one again."""

from dataclasses import replace
from email.message import EmailMessage

from flask import Response, make_response, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from models import resending
from models.notification import Notification
from models.orders import Order
from models.session import transaction
from tasks import letters
from web.desk.frame import act, allows, blueprint, desk_time, form, found, given, render
from web.schemas import WHY

_PREVIEW_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)


@blueprint.get("/desk/mails/<int:mail_id>/")
@allows("viewer")
def mail(mail_id: int) -> Response:
    """The mail in text and HTML, without the link that opens the order to its owner."""
    with transaction() as session:
        row = found(session.get(Notification, mail_id))
        order = session.get_one(Order, row.order_id)
        message = _message(session, row)
        clock = desk_time(session)
    return render(
        "mail.html",
        mail=row,
        order=order,
        subject=message["Subject"],
        sender=message["From"],
        text=_part(message, "plain"),
        clock=clock,
    )


@blueprint.get("/desk/mails/<int:mail_id>/html/")
@allows("viewer")
def mail_html(mail_id: int) -> Response:
    """The HTML of the mail, for a frame: it can run, load and send nothing."""
    with transaction() as session:
        message = _message(session, found(session.get(Notification, mail_id)))
    page = make_response(_part(message, "html"))
    page.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return page


@blueprint.post("/desk/mails/<int:mail_id>/resend/")
@allows("clerk")
def mail_resend(mail_id: int) -> AnyResponse:
    """Send the mail once more."""

    def do(session: Session, who: str) -> str:
        why = given(WHY, {"why": form().get("why", "")})["why"]
        copy = resending.resend(session, mail_id, who=who, why=why)
        return f"It is sent again, to {copy.recipient}."

    return act(do, back=url_for("desk.mail", mail_id=mail_id))


def _message(session: Session, row: Notification) -> EmailMessage:
    letter = letters.compose(session, row)
    return letters.render(replace(letter, facts={**letter.facts, "page": None}))


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    text: str = part.get_content() if part is not None else ""
    return text
