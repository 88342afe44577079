"""The catalogue: what is for sale, and how much of it is left."""

from typing import Any

from marshmallow import fields

from models import stock
from models.session import transaction
from web import rendering
from web.api import Blueprint
from web.errors import Problem
from web.fields import Nested
from web.representations import CATALOG_ITEM, CatalogItem
from web.schemas import Schema

blueprint = Blueprint("catalog", __name__, url_prefix="/catalog", description="What is for sale.")


class Catalog(Schema):
    data = fields.List(Nested(CatalogItem), required=True)


@blueprint.route("/")
@blueprint.allows("everyone")
@blueprint.response(200, Catalog())
def index() -> dict[str, Any]:
    """Everything that is for sale or was sold as a single piece, by title."""
    with transaction() as session:
        return {"data": [rendering.catalog_item(item) for item in stock.catalogue(session)]}


@blueprint.route("/<sku>/")
@blueprint.allows("everyone")
@blueprint.response(200, CATALOG_ITEM)
@blueprint.problems("not_found")
def show(sku: str) -> dict[str, Any]:
    """One item, with what is left of it now."""
    with transaction() as session:
        item = stock.find(session, [sku]).get(sku) if "\0" not in sku else None
    if item is None:
        raise Problem(404, "not_found")
    return rendering.catalog_item(item)
