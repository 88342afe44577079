"""Many orders at once: shipped or refunded, after a look at what is meant, each by itself."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from models import fulfilment, orders
from models.orders import Order
from models.session import transaction
from web import callers
from web.desk import words
from web.desk.frame import allows, blueprint, desk_time, found, render
from web.errors import Problem
from web.refusals import refusals
from web.staff_refunds import give_all_back

_MOST = 100


class Result(NamedTuple):
    order: Order
    is_done: bool
    told: str


class _Verb(NamedTuple):
    title: str
    asks: str
    do: Callable[[int, str], str]


def _ship(order_id: int, who: str) -> str:
    with refusals(), transaction() as session:
        if orders.lock(session, order_id).fulfilment == "shipped":  # its tracking stays
            return "was shipped already"
        fulfilment.ship(session, order_id, who=who)
    return "shipped; the customer is told"


def _refund(order_id: int, who: str) -> str:
    asked = give_all_back(order_id, who=who)
    sums = ", ".join(words.money(row.amount_minor, row.currency) for row in asked)
    return f"{sums} goes back"


VERBS = {
    "ship": _Verb("Mark shipped", "Their customers are told that the goods have left.", _ship),
    "refund": _Verb(
        "Mark refunded",
        "All that is left of their payments goes back. No goods come back.",
        _refund,
    ),
}


@blueprint.get("/desk/orders/bulk/<verb>/")
@allows("clerk")
def bulk_look(verb: str) -> Response:
    """The orders that are meant, before anything is done."""
    what = found(VERBS.get(verb))
    with transaction() as session:
        clock = desk_time(session)
    return render(
        "bulk.html",
        verb=verb,
        what=what,
        orders=_orders(request.args.getlist("order")),
        clock=clock,
    )


@blueprint.post("/desk/orders/bulk/<verb>/")
@allows("clerk")
def bulk_act(verb: str) -> Response:
    """Do it to each, and say of each what came of it. Sent again, it does nothing twice."""
    what: _Verb = found(VERBS.get(verb))
    results = [_result(order, what) for order in _orders(request.form.getlist("order"))]
    return render("bulk_done.html", what=what, results=results)


def _result(order: Order, what: _Verb) -> Result:
    try:
        return Result(order, is_done=True, told=what.do(order.id, callers.present().name))
    except Problem as problem:
        return Result(order, is_done=False, told=words.refusal(problem))


def _orders(given: Sequence[str]) -> Sequence[Order]:
    ids = [int(each) for each in given if each.isdecimal() and len(each) < len(str(2**62))]
    chosen = select(Order).where(Order.id.in_(ids[:_MOST])).order_by(Order.id.desc())
    with transaction() as session:
        return session.scalars(chosen.options(selectinload(Order.lines))).all()
