"""The catalogue for staff: with what is held, and what is not sold any more."""

from typing import Any

from web import rendering
from web.api import Blueprint
from web.catalog import listed, look_up
from web.catalog_representations import (
    CATALOG_STOCK,
    CATALOG_STOCK_LIST,
    CatalogStockQuery,
)

blueprint = Blueprint(
    "staff_catalog", __name__, url_prefix="/staff/catalog", description="Stock, for staff."
)


@blueprint.route("/")
@blueprint.allows("viewer", "catalog:write")
@blueprint.arguments(CatalogStockQuery(), location="query")
@blueprint.response(200, CATALOG_STOCK_LIST)
@blueprint.problems("not_found")
def index(query: dict[str, Any]) -> dict[str, Any]:
    """All items, or those that are archived, by title."""
    return listed(query, rendering.catalog_stock)


@blueprint.route("/<sku>/")
@blueprint.allows("viewer", "catalog:write")
@blueprint.response(200, CATALOG_STOCK)
@blueprint.problems("not_found")
def show(sku: str) -> dict[str, Any]:
    """One item, archived or not."""
    return rendering.catalog_stock(look_up(sku))
