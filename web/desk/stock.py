"""The stock: what is there, who holds it, how it changed, and booking what comes and goes."""

from dataclasses import replace
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from models import catalogue, holds, story, user
from models.session import transaction
from models.stock import MOST_UNITS
from web import catalog
from web.catalog_representations import ADJUSTMENT, ITEM_CHANGE, ITEM_IN
from web.desk.frame import (
    Act,
    act,
    after,
    allows,
    blueprint,
    desk_time,
    form,
    given,
    render,
)
from web.errors import Problem
from web.schemas import WHY

SHOWN = {
    "all": catalogue.Filter(),
    "left": catalogue.Filter(is_available=True),
    "none left": catalogue.Filter(is_available=False),
    "single pieces": catalogue.Filter(is_unique=True),
    "archived": catalogue.Filter(is_archived=True),
}
_PAGE = 50
_LONGEST_TEXT = 100


@blueprint.get("/desk/stock/")
@allows("viewer")
def stock() -> Response:
    """Items by title, with what is there and held."""
    show = request.args.get("show", "all")
    show = show if show in SHOWN else "all"
    text = request.args.get("q", "").replace("\0", "").strip()[:_LONGEST_TEXT]
    last = request.args.get("after", "").replace("\0", "") or None
    wanted = replace(SHOWN[show], text=text or None)
    with transaction() as session:
        items = catalogue.listing(session, wanted, limit=_PAGE + 1, after=last)
    more = items[_PAGE - 1].sku if len(items) > _PAGE else None
    return render("stock.html", items=items[:_PAGE], more=more, shown=SHOWN, show=show, text=text)


@blueprint.get("/desk/stock/items/<sku>/")
@allows("viewer")
def stock_item(sku: str) -> Response:
    """One item: its holds with the time that they have left, and its movements."""
    item = catalog.look_up(sku)
    with transaction() as session:
        moves = catalogue.movements(session, sku, limit=_PAGE + 1, after=after())
        held = holds.of_item(session, item.id, limit=_PAGE)
        staff = user.names(session, story.staff_among(moves))
        clock = desk_time(session)
    more = moves[_PAGE - 1].id if len(moves) > _PAGE else None
    return render(
        "stock_item.html",
        item=item,
        moves=moves[:_PAGE],
        more=more,
        holds=held,
        staff=staff,
        clock=clock,
    )


@blueprint.post("/desk/stock/items/")
@allows("manager")
def stock_create() -> AnyResponse:
    """Add an item to the catalogue."""

    def do(session: Session, who: str) -> str:
        fields = form()
        said: dict[str, Any] = {
            **{name: fields.get(name, "") for name in ("sku", "title", "unit_price", "currency")},
            "stock": _units(fields.get("stock", "")),
            "is_unique": "is_unique" in fields,
        }
        catalog.add(session, given(ITEM_IN, said), who)
        return f"{said['sku']} is on sale."

    return act(do, back=url_for("desk.stock"))


@blueprint.post("/desk/stock/items/<sku>/adjust/")
@allows("clerk")
def stock_adjust(sku: str) -> AnyResponse:
    """Book pieces that came or are gone, or all that were counted."""

    def do(session: Session, who: str) -> str:
        fields = form()
        way = "stock" if fields.get("way") == "counted" else "delta"
        said = {way: _units(fields.get("units", "")), "reason": fields.get("reason", "")}
        item = catalog.book(session, sku, given(ADJUSTMENT, said), who)
        return f"Booked: there are {item.stock} now."

    return _act(sku, do)


@blueprint.post("/desk/stock/items/<sku>/change/")
@allows("manager")
def stock_change(sku: str) -> AnyResponse:
    """Give the item another title or price; orders that are placed keep theirs."""

    def do(session: Session, who: str) -> str:
        fields = form()
        said = {name: fields.get(name, "") for name in ("title", "unit_price", "why")}
        catalog.alter(session, sku, given(ITEM_CHANGE, said), who)
        return "Changed. Orders that are placed keep what they had."

    return _act(sku, do)


@blueprint.post("/desk/stock/items/<sku>/archive/")
@allows("manager")
def stock_archive(sku: str) -> AnyResponse:
    """Sell the item no more."""

    def do(session: Session, who: str) -> str:
        catalogue.archive(session, sku, who=who, **given(WHY, {"why": form().get("why", "")}))
        return "It is sold no more."

    return _act(sku, do)


@blueprint.post("/desk/stock/items/<sku>/unarchive/")
@allows("manager")
def stock_unarchive(sku: str) -> AnyResponse:
    """Sell the item again."""

    def do(session: Session, who: str) -> str:
        catalogue.unarchive(session, sku, who=who, **given(WHY, {"why": form().get("why", "")}))
        return "It is on sale again."

    return _act(sku, do)


def _act(sku: str, do: Act) -> AnyResponse:
    catalog.look_up(sku)
    return act(do, back=url_for("desk.stock_item", sku=sku))


def _units(text: str) -> int:
    """As in "+3", "3" or "-3"; else the problem that it is no number of pieces."""
    digits = text.lstrip("+-")
    if not digits.isdecimal() or len(digits) > len(str(MOST_UNITS)) or len(text) - len(digits) > 1:
        raise Problem(400, "invalid_quantity", "That is no number of pieces.")
    return int(text)
