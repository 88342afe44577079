"""Lists of orders, and the words by which they are found."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from models import order_desk
from web.fields import Nested, SafeStr
from web.outgoing import flag
from web.paging import Page
from web.representations import Order
from web.schemas import Schema, about

_OF_ONE_ORDER = ("token", "shipment", "payments", "refunds", "disputes", "timeline")


class OrderQuery(Page):
    status = fields.String(
        load_default=None,
        validate=validate.OneOf(tuple(order_desk.STATUSES)),
        metadata=about("What a customer calls the state of the order.", "paid"),
    )
    email = SafeStr(load_default=None, max_length=254, metadata=about("Where its mails go."))
    order_number = SafeStr(load_default=None, max_length=40, metadata=about("For people."))
    sku = SafeStr(load_default=None, max_length=64, metadata=about("One of its products."))
    fulfilment = fields.String(
        load_default=None,
        validate=validate.OneOf(("none", "shipped", "delivered")),
        metadata=about("Where the goods are.", "none"),
    )
    needs_review = fields.Boolean(load_default=None, metadata=about("Staff must look at it."))
    stock_shortage = fields.Boolean(load_default=None, metadata=about("Not all was in stock."))
    disputed = fields.Boolean(load_default=None, metadata=about("The charge is disputed."))
    created_after = fields.AwareDateTime(
        load_default=None, metadata=about("Placed then or later.", "2026-11-01T00:00:00Z")
    )
    created_before = fields.AwareDateTime(
        load_default=None, metadata=about("Placed before then.", "2026-12-01T00:00:00Z")
    )


class OrderSummary(Order):
    class Meta(Schema.Meta):
        exclude = _OF_ONE_ORDER

    example: ClassVar[dict[str, Any]] = {
        name: value for name, value in Order.example.items() if name not in _OF_ONE_ORDER
    }


class OrderList(Schema):
    example: ClassVar[dict[str, Any]] = {"data": [OrderSummary.example], "has_more": False}

    data = fields.List(Nested(OrderSummary), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


ORDER_LIST = OrderList()
