"""The catalogue: what is for sale and how much of it is left; staff change it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from flask import request
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from models import catalogue, money
from models.catalogue import Filter
from models.session import transaction
from models.stock import StockItem
from web import callers, parsing, rendering
from web.api import Blueprint
from web.catalog_representations import (
    ADJUSTMENT,
    CATALOG,
    CATALOG_ITEM,
    CATALOG_STOCK,
    ITEM_CHANGE,
    ITEM_IN,
    MOVEMENT_LIST,
    CatalogQuery,
)
from web.errors import Problem
from web.idempotency import KEY_HEADER, REPLAYED, REPLAYED_HEADER, once
from web.paging import Page, page
from web.refusals import refusals
from web.schemas import WHY

Answer = tuple[dict[str, Any], int, Mapping[str, str]]
Change = Callable[[Session, str], StockItem]

_KEY_PROBLEMS = ("idempotency_key_invalid", "idempotency_key_reused", "request_in_progress")

blueprint = Blueprint("catalog", __name__, url_prefix="/catalog", description="What is for sale.")


@blueprint.route("/")
@blueprint.allows("everyone")
@blueprint.arguments(CatalogQuery(), location="query")
@blueprint.response(200, CATALOG)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """Everything that is for sale or was sold as a single piece, by title."""
    return listed(query, rendering.catalog_item)


@blueprint.route("/", methods=["POST"])
@blueprint.allows("manager", "catalog:write")
@blueprint.arguments(ITEM_IN)
@blueprint.response(201, CATALOG_STOCK, headers=REPLAYED_HEADER)
@blueprint.headers(KEY_HEADER)
@blueprint.problems(
    "invalid_price",
    "invalid_quantity",
    "unknown_currency",
    *_KEY_PROBLEMS,
    "sku_taken",
    "unauthorized_origin",
)
def create(body: dict[str, Any]) -> Answer:
    """Add an item to the catalogue."""
    return _once(body["sku"], 201, lambda session, who: add(session, body, who))


@blueprint.route("/<sku>/")
@blueprint.allows("everyone")
@blueprint.response(200, CATALOG_ITEM)
@blueprint.problems("not_found")
def show(sku: str) -> dict[str, Any]:
    """One item, with what is left of it now."""
    item = look_up(sku)
    if item.status == "archived":
        raise Problem(404, "not_found")
    return rendering.catalog_item(item)


@blueprint.route("/<sku>/", methods=["PATCH"])
@blueprint.allows("manager", "catalog:write")
@blueprint.arguments(ITEM_CHANGE)
@blueprint.response(200, CATALOG_STOCK)
@blueprint.problems("not_found", "invalid_price", "unauthorized_origin")
def change(body: dict[str, Any], sku: str) -> dict[str, Any]:
    """Give the item another title or price; orders that are placed keep theirs."""
    return _act(sku, lambda session, who: alter(session, sku, body, who))


@blueprint.route("/<sku>/adjust/", methods=["POST"])
@blueprint.allows("clerk", "catalog:write")
@blueprint.arguments(ADJUSTMENT)
@blueprint.response(200, CATALOG_STOCK, headers=REPLAYED_HEADER)
@blueprint.headers(KEY_HEADER)
@blueprint.problems(
    "not_found",
    "invalid_quantity",
    "idempotency_key_required",
    *_KEY_PROBLEMS,
    "impossible_stock",
    "unauthorized_origin",
)
def adjust(body: dict[str, Any], sku: str) -> Answer:
    """Book pieces that have come or are gone, or all that were counted."""
    look_up(sku)
    if body["delta"] is not None and not request.headers.get("Idempotency-Key"):
        raise Problem(400, "idempotency_key_required")
    return _once(sku, 200, lambda session, who: book(session, sku, body, who))


@blueprint.route("/<sku>/archive/", methods=["POST"])
@blueprint.allows("manager", "catalog:write")
@blueprint.arguments(WHY)
@blueprint.response(200, CATALOG_STOCK)
@blueprint.problems("not_found", "unauthorized_origin")
def archive(body: dict[str, Any], sku: str) -> dict[str, Any]:
    """Sell the item no more; what unpaid orders hold of it stays theirs."""
    return _act(sku, lambda session, who: catalogue.archive(session, sku, **body, who=who))


@blueprint.route("/<sku>/unarchive/", methods=["POST"])
@blueprint.allows("manager", "catalog:write")
@blueprint.arguments(WHY)
@blueprint.response(200, CATALOG_STOCK)
@blueprint.problems("not_found", "unauthorized_origin")
def unarchive(body: dict[str, Any], sku: str) -> dict[str, Any]:
    """Sell the item again."""
    return _act(sku, lambda session, who: catalogue.unarchive(session, sku, **body, who=who))


@blueprint.route("/<sku>/movements/")
@blueprint.allows("viewer", "catalog:write")
@blueprint.arguments(Page(), location="query")
@blueprint.response(200, MOVEMENT_LIST)
@blueprint.problems("not_found")
def list_movements(query: Mapping[str, Any], sku: str) -> dict[str, Any]:
    """How units and holds of the item changed, newest first."""
    limit, after = query["limit"], query["starting_after"]
    look_up(sku)
    with transaction() as session:
        return page(catalogue.movements(session, sku, limit=limit + 1, after=after), limit)


def listed(
    query: Mapping[str, Any], render: Callable[[StockItem], dict[str, Any]]
) -> dict[str, Any]:
    """A page of the items that the query asks for."""
    wanted = Filter(
        text=query["q"],
        is_available=query["available"],
        is_unique=query["is_unique"],
        is_archived=query.get("archived", False),
    )
    limit, after = query["limit"], query["starting_after"]
    with transaction() as session:
        found = catalogue.listing(session, wanted, limit=limit + 1, after=after)
    return page([render(item) for item in found], limit)


def look_up(sku: str) -> StockItem:
    """The item, archived or not, or the problem `not_found`."""
    if "\0" in sku:
        raise Problem(404, "not_found")
    try:
        with transaction() as session:
            return catalogue.look_up(session, sku)
    except NoResultFound:
        raise Problem(404, "not_found") from None


def _act(sku: str, act: Change) -> dict[str, Any]:
    look_up(sku)
    with transaction() as session:
        return rendering.catalog_stock(act(session, callers.present().name))


def _once(sku: str, status: int, act: Change) -> Answer:
    """Do it, or if its key has done it before, show what has become of the item since."""
    name = callers.present().name
    claim = once(name)
    with transaction() as session:
        if claim.earlier(session) is not None:
            return rendering.catalog_stock(catalogue.look_up(session, sku)), status, REPLAYED
        item = act(session, name)
        claim.remember(session, status=status)
        return rendering.catalog_stock(item), status, {}


def add(session: Session, body: Mapping[str, Any], who: str) -> StockItem:
    """Add the item that an `ITEM_IN` describes, or raise the problem that forbids it."""
    item = dict(body)
    price = _minor(item.pop("unit_price"), item["currency"])
    with refusals():
        return catalogue.create(session, **item, unit_price_minor=price, who=who)


def alter(session: Session, sku: str, body: Mapping[str, Any], who: str) -> StockItem:
    """Give the item the title and price that an `ITEM_CHANGE` says."""
    price, title, why = body["unit_price"], body["title"], body["why"]
    currency = catalogue.look_up(session, sku).currency
    minor = None if price is None else _minor(price, currency)
    return catalogue.change(session, sku, title=title, unit_price_minor=minor, who=who, why=why)


def book(session: Session, sku: str, body: Mapping[str, Any], who: str) -> StockItem:
    """Change the number of units as an `ADJUSTMENT` says, or raise the problem that forbids it."""
    said = {"who": who, "why": body["reason"]}
    with refusals():
        if body["delta"] is None:
            return catalogue.count(session, sku, body["stock"], **said)
        return catalogue.adjust(session, sku, body["delta"], **said)


def _minor(price: Decimal, currency: str) -> int:
    try:
        return money.minor_from_decimal(price, currency)
    except ValueError:
        places = money.exponent(currency)
        fault = f"invalid_price: Has more than the {places} decimals of {currency}."
        raise parsing.invalid({"unit_price": [fault]}) from None
