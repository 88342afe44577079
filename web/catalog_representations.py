"""What goes in and out about the catalogue: items, changes of them, movements of their units."""

from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate, validates_schema

from models import money, stock
from models.catalogue import SKU
from web.fields import Currency, Money, Nested, SafeStr, StrictBool, StrictInt
from web.outgoing import currency_code, flag, moment, number, one_of, text
from web.outgoing import money as price
from web.paging import Limit
from web.schemas import Schema, about

_LONGEST_WHY = 500


class Sku(SafeStr):
    """The SKU of a new item: letters and digits of ASCII, and `._:+-` behind the first."""

    def __init__(self, *, metadata: dict[str, Any], **options: Any) -> None:
        fault = "invalid_field: Must be 1 to 64 of A-Z, a-z, 0-9 and, not first, ._:+- ."
        super().__init__(metadata={**metadata, "pattern": f"^{SKU}$"}, **options)
        self.error_messages |= dict.fromkeys(("invalid", "unprintable"), fault)
        self.validators = [validate.Regexp(rf"{SKU}\Z", error=fault)]


class CatalogItem(Schema):
    example: ClassVar[dict[str, Any]] = {
        "sku": "TSHIRT-BLUE",
        "title": "Blue T-shirt",
        "unit_price": "19.99",
        "currency": "EUR",
        "available": 12,
        "is_unique": False,
        "status": "available",
    }

    sku = text("The product.", "TSHIRT-BLUE")
    title = text("Its name.", "Blue T-shirt")
    unit_price = price("Price of one piece")
    currency = currency_code()
    available = number("Pieces that can be ordered now.", 12)
    is_unique = flag("There is only one in the world.")
    status = one_of(stock.STATUSES, "Whether it is on sale.")


class CatalogStock(CatalogItem):
    example: ClassVar[dict[str, Any]] = {**CatalogItem.example, "stock": 15, "held": 3}

    stock = number("Pieces that are there, held or not.", 15)
    held = number("Pieces that unpaid orders hold.", 3)


class Catalog(Schema):
    example: ClassVar[dict[str, Any]] = {"data": [CatalogItem.example], "has_more": False}

    data = fields.List(Nested(CatalogItem), required=True, metadata=about("By title."))
    has_more = flag("Whether there are more after these.")


class CatalogStockList(Schema):
    example: ClassVar[dict[str, Any]] = {"data": [CatalogStock.example], "has_more": False}

    data = fields.List(Nested(CatalogStock), required=True, metadata=about("By title."))
    has_more = flag("Whether there are more after these.")


class CatalogQuery(Limit):
    starting_after = SafeStr(
        load_default=None,
        max_length=64,
        metadata=about("The SKU of the last one that was seen: the page begins after it."),
    )
    q = SafeStr(load_default=None, metadata=about("A part of title or SKU.", "shirt"))
    available = fields.Boolean(load_default=None, metadata=about("Whether any can be ordered."))
    is_unique = fields.Boolean(load_default=None, metadata=about("One-of-a-kind pieces, or not."))


class CatalogStockQuery(CatalogQuery):
    archived = fields.Boolean(
        load_default=False, metadata=about("What is not sold any more, instead of what is.")
    )


class ItemIn(Schema):
    example: ClassVar[dict[str, Any]] = {
        "sku": "TSHIRT-BLUE",
        "title": "Blue T-shirt",
        "unit_price": "19.99",
        "currency": "EUR",
        "stock": 12,
    }

    sku = Sku(required=True, metadata=about("What orders name it by.", "TSHIRT-BLUE"))
    title = SafeStr(required=True, metadata=about("Its name.", "Blue T-shirt"))
    unit_price = Money(required=True, metadata=about("Price of one piece.", "19.99"))
    currency = Currency(required=True, metadata=about("ISO 4217, for good.", "EUR"))
    stock = StrictInt(
        required=True,
        minimum=0,
        maximum=stock.MOST_UNITS,
        code="invalid_quantity",
        metadata=about("Pieces that are there.", 12),
    )
    is_unique = StrictBool(load_default=False, metadata=about("There is only one in the world."))

    @validates_schema
    def refuse_what_cannot_be(self, data: dict[str, Any], **_context: Any) -> None:
        places = money.exponent(data["currency"])
        if data["unit_price"] != round(data["unit_price"], places):
            fault = f"invalid_price: Has more than the {places} decimals of {data['currency']}."
            raise ValidationError({"unit_price": [fault]})
        if data["is_unique"] and data["stock"] > 1:
            fault = "invalid_quantity: Must be 0 or 1 of a one-of-a-kind piece."
            raise ValidationError({"stock": [fault]})


class ItemChange(Schema):
    example: ClassVar[dict[str, Any]] = {"unit_price": "24.99", "why": "Cotton costs more."}

    title = SafeStr(load_default=None, metadata=about("Its new name."))
    unit_price = Money(load_default=None, metadata=about("Its new price.", "24.99"))
    why = SafeStr(
        load_default="changed", max_length=_LONGEST_WHY, metadata=about("For the journal.")
    )


class Adjustment(Schema):
    example: ClassVar[dict[str, Any]] = {"delta": -1, "reason": "Broken on its way here."}

    delta = StrictInt(
        load_default=None,
        minimum=-stock.MOST_UNITS,
        maximum=stock.MOST_UNITS,
        code="invalid_quantity",
        metadata=about("Pieces that have come, or are gone; needs an `Idempotency-Key`.", -1),
    )
    stock = StrictInt(
        load_default=None,
        minimum=0,
        maximum=stock.MOST_UNITS,
        code="invalid_quantity",
        metadata=about("Or all that were counted, those that are held included."),
    )
    reason = SafeStr(
        required=True, max_length=_LONGEST_WHY, metadata=about("For movement and journal.")
    )

    @validates_schema
    def refuse_none_and_both(self, data: dict[str, Any], **_context: Any) -> None:
        if (data["delta"] is None) == (data["stock"] is None):
            raise ValidationError({"delta": ["invalid_field: Send either delta or stock."]})


class Movement(Schema):
    example: ClassVar[dict[str, Any]] = {
        "id": 7,
        "stock_delta": 0,
        "held_delta": 2,
        "reason": "held",
        "order_id": 42,
        "who": "guest",
        "at": "2026-11-22T12:00:00+00:00",
    }

    id = number("For `starting_after`.", 7)
    stock_delta = number("Pieces that came (or left, if negative).", 0)
    held_delta = number("Pieces that are held from now on (or no longer).", 2)
    reason = text("Why.", "held")
    order_id = fields.Integer(
        required=True, allow_none=True, metadata=about("The order that did it, if one did.", 42)
    )
    who = text("Who or what did it.", "guest")
    at = moment("When it happened.")


class MovementList(Schema):
    example: ClassVar[dict[str, Any]] = {"data": [Movement.example], "has_more": False}

    data = fields.List(Nested(Movement), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


CATALOG_ITEM = CatalogItem()
CATALOG = Catalog()
CATALOG_STOCK = CatalogStock()
CATALOG_STOCK_LIST = CatalogStockList()
ITEM_IN = ItemIn()
ITEM_CHANGE = ItemChange()
ADJUSTMENT = Adjustment()
MOVEMENT_LIST = MovementList()
