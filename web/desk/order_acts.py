"""What staff do with one order: each form is a verb of the models, done once, in their name."""

from datetime import timedelta
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from models import capturing, fulfilment, order_desk, refund_desk
from models.payment import Payment
from models.session import transaction
from web import callers, refunds
from web import fulfilment as api
from web.desk import words
from web.desk.frame import Act, act, allows, blueprint, claim, form, found, given, tell
from web.errors import Problem
from web.refund_representations import REFUND_IN, RecordIn
from web.schemas import CANCEL, SHIP, WHY

_TURNED_AWAY = frozenset({401, 403, 404})
_RECORD_IN = RecordIn()
_LONGEST_MINUTES = 7 * 24 * 60


@blueprint.post("/desk/orders/<int:order_id>/ship/")
@allows("clerk")
def ship(order_id: int) -> Response:
    """Say that the goods have left, or correct how."""

    def do(session: Session, who: str) -> str:
        fulfilment.ship(session, order_id, **given(SHIP, _without_key()), who=who)
        return "Marked as shipped. The customer is told once."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/deliver/")
@allows("clerk")
def deliver(order_id: int) -> Response:
    """Say that the goods have arrived."""

    def do(session: Session, who: str) -> str:
        fulfilment.deliver(session, order_id, who=who)
        return "Marked as delivered."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/cancel/")
@allows("clerk")
def cancel(order_id: int) -> Response:
    """Call an unpaid order off."""

    def do(session: Session, who: str) -> str:
        order = api.call_off(session, order_id, who=who, **given(CANCEL, _without_key()))
        if order.state == "cancelled":
            return "Cancelled; its goods are free again."
        return "It is being cancelled: its payment is closed at the provider first."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/extend/")
@allows("clerk")
def extend(order_id: int) -> Response:
    """Hold the goods of an unpaid order for longer."""

    def do(session: Session, who: str) -> str:
        fields = form()
        minutes = fields.get("minutes", "")
        if not minutes.isdecimal() or not 0 < int(minutes) <= _LONGEST_MINUTES:
            raise Problem(400, "invalid_field", f"Minutes must be 1 to {_LONGEST_MINUTES}.")
        why = given(WHY, {"why": fields.get("why", "")})["why"]
        order_desk.extend(session, order_id, timedelta(minutes=int(minutes)), who=who, why=why)
        return f"Its goods are held for {minutes} minutes more."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/clear-shortage/")
@allows("clerk")
def clear_shortage(order_id: int) -> Response:
    """Take from stock what was missing."""

    def do(session: Session, who: str) -> str:
        api.clear_missing(session, order_id, who=who, **given(WHY, _without_key()))
        return "Taken from stock; the order can be shipped."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/release-review/")
@allows("clerk")
def release_review(order_id: int) -> Response:
    """Say that a person has looked and the order may go on."""

    def do(session: Session, who: str) -> str:
        order_desk.clear_review(session, order_id, who=who, **given(WHY, _without_key()))
        return "Released: the order goes on."

    return _act(order_id, do)


@blueprint.post("/desk/orders/<int:order_id>/note/")
@allows("clerk")
def note(order_id: int) -> Response:
    """Write something down about the order."""

    def do(session: Session, who: str) -> str:
        order_desk.note(session, order_id, who=who, **given(WHY, _without_key()))
        return "Noted."

    return _act(order_id, do)


@blueprint.post("/desk/payments/<int:payment_id>/capture/")
@allows("clerk")
def capture(payment_id: int) -> Response:
    """Take the money that is reserved."""

    def do(session: Session, who: str) -> str:
        capturing.request(session, payment_id, who=who)
        return "The money is being taken."

    return _act(_payment(payment_id).order_id, do)


@blueprint.post("/desk/payments/<int:payment_id>/refund/")
@allows("clerk")
def refund(payment_id: int) -> Response:
    """Give back a part of the payment, or all that is left, and put goods on sale again."""
    back = url_for("desk.order_page", order_id=_payment(payment_id).order_id)
    fields = form()
    seen = fields.get("seen", "")
    body: dict[str, Any] = {name: fields.get(name, "") for name in ("amount", "reason", "note")}
    try:
        read = given(REFUND_IN, {**body, "restock": _restock(fields)})
        _, is_replayed = refunds.ask(
            payment_id,
            read,
            claim(),
            who=callers.present().name,
            seen_minor=int(seen) if seen.isdecimal() else None,
        )
    except Problem as problem:
        if problem.status in _TURNED_AWAY:
            raise
        return tell(words.refusal(problem), "refused", back=back)
    told = "That was done already." if is_replayed else "The refund is on its way to the provider."
    return tell(told, "done", back=back)


@blueprint.post("/desk/payments/<int:payment_id>/record-refund/")
@allows("clerk")
def record_refund(payment_id: int) -> Response:
    """Have a refund taken over that was made by hand at the provider."""

    def do(session: Session, who: str) -> str:
        name = {"provider_refund_id": form().get("provider_refund_id", "")}
        made = given(_RECORD_IN, {"payment_id": payment_id, **name})
        if refund_desk.recorded(session, **made) is not None:
            return "It is known already."
        refund_desk.record(session, **made, who=who)
        return "The provider is asked about it; it is booked if it is of this payment."

    return _act(_payment(payment_id).order_id, do)


def _restock(fields: Any) -> list[dict[str, Any]] | None:
    """How many pieces of which SKUs come back, as the API takes it."""
    lines = []
    for name, count in fields.items():
        sku = name.removeprefix("back:")
        if sku != name and count not in ("", "0"):
            if not count.isdecimal():
                raise Problem(400, "invalid_quantity")
            lines.append({"product_sku": sku, "quantity": int(count)})
    return lines or None


def _payment(payment_id: int) -> Payment:
    with transaction() as session:
        row: Payment = found(session.get(Payment, payment_id))
    return row


def _without_key() -> dict[str, str]:
    return {name: value for name, value in form().items() if name != "once"}


def _act(order_id: int, do: Act) -> Response:
    return act(do, back=url_for("desk.order_page", order_id=order_id))
