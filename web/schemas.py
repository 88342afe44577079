"""The bodies that the API takes; whatever is not in them is refused."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import marshmallow
from marshmallow import RAISE, ValidationError, fields, validate, validates_schema

from models import money
from web.fields import (
    Choice,
    CountryCode,
    Currency,
    EmailAddress,
    HttpsAddress,
    Items,
    Money,
    Nested,
    SafeStr,
    StrictInt,
)
from web.reading import QuickSchema

MAX_ITEMS = 100
MAX_QUANTITY = 1000


class Schema(marshmallow.Schema):
    """A JSON object that has no fields but these; `example` is shown in the documentation."""

    class Meta:
        unknown = RAISE

    error_messages: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        "unknown": "unknown_field: This field is not known here.",
        "type": "invalid_body: Must be a JSON object.",
    }
    example: ClassVar[dict[str, Any]] = {}


def about(description: str, *examples: object) -> dict[str, Any]:
    """The documentation of one field."""
    return {"description": description, **({"examples": list(examples)} if examples else {})}


class Empty(Schema):
    """A body without fields."""


class AddressIn(Schema):
    name = SafeStr(load_default=None, min_length=0, metadata=about("Who receives it."))
    line1 = SafeStr(required=True, metadata=about("Street and number.", "123 Street"))
    line2 = SafeStr(load_default=None, min_length=0, metadata=about("Flat, floor, company."))
    city = SafeStr(required=True, max_length=100, metadata=about("City or town.", "Town"))
    region = SafeStr(
        load_default=None, min_length=0, max_length=100, metadata=about("State, county, province.")
    )
    postal_code = SafeStr(required=True, max_length=20, metadata=about("Postal code.", "12345"))
    country = CountryCode(required=True, metadata=about("ISO 3166-1 alpha-2.", "IE"))
    phone = SafeStr(
        load_default=None, min_length=0, max_length=40, metadata=about("For the carrier.")
    )


class OrderItemIn(Schema):
    product_title = SafeStr(
        required=True, metadata=about("As the client shows it.", "Blue T-shirt")
    )
    product_sku = SafeStr(
        required=True, max_length=64, metadata=about("As in the catalogue.", "TSHIRT-BLUE")
    )
    unit_price = Money(
        required=True,
        metadata=about(
            "What the client believes one piece costs: a decimal string, or a number. If the "
            "catalogue says otherwise, the order is refused as `price_changed`.",
            "19.99",
        ),
    )
    quantity = StrictInt(
        required=True,
        minimum=1,
        maximum=MAX_QUANTITY,
        code="invalid_quantity",
        metadata=about("How many pieces.", 2),
    )


class OrderCreate(QuickSchema, Schema):
    example: ClassVar[dict[str, Any]] = {
        "guest_email": "guest@example.com",
        "currency": "EUR",
        "items": [
            {
                "product_title": "Blue T-shirt",
                "product_sku": "TSHIRT-BLUE",
                "unit_price": 19.99,
                "quantity": 2,
            }
        ],
        "shipping_address": {
            "line1": "123 Street",
            "city": "Town",
            "postal_code": "12345",
            "country": "IE",
        },
    }

    guest_email = EmailAddress(
        load_default=None,
        metadata=about("Where the confirmation goes. A signed-in customer may leave it out."),
    )
    currency = Currency(required=True, metadata=about("ISO 4217, for all items.", "EUR"))
    items = Items(
        Nested(OrderItemIn),
        most=MAX_ITEMS,
        required=True,
        metadata=about("Lines with the same SKU are added up before they are checked."),
    )
    shipping_address = Nested(AddressIn, required=True, metadata=about("Where the goods go."))
    billing_address = Nested(
        AddressIn, load_default=None, metadata=about("Where the bill goes, if elsewhere.")
    )

    def judge(self, data: Mapping[str, Any]) -> None:
        """Refuse more decimals than the currency has."""
        places = money.exponent(data["currency"])
        fault = f"invalid_price: Has more than the {places} decimals of {data['currency']}."
        faults = {
            index: {"unit_price": [fault]}
            for index, item in enumerate(data["items"])
            if item["unit_price"] != round(item["unit_price"], places)
        }
        if faults:
            raise ValidationError({"items": faults})


class Cancel(Schema):
    reason = SafeStr(
        load_default=None, max_length=500, metadata=about("Why, for the order's timeline.")
    )


class Ship(Schema):
    example: ClassVar[dict[str, Any]] = {"carrier": "An Post", "tracking_number": "RR123456789IE"}

    carrier = SafeStr(load_default=None, max_length=100, metadata=about("Who brings it."))
    tracking_number = SafeStr(
        load_default=None, max_length=100, metadata=about("The carrier's number for it.")
    )
    tracking_url = HttpsAddress(
        load_default=None,
        max_length=500,
        metadata=about("Where to follow it; a link in the customer's mail.", "https://a.example/1"),
    )


class Why(Schema):
    example: ClassVar[dict[str, Any]] = {"why": "I called the customer."}

    why = SafeStr(required=True, max_length=500, metadata=about("For the journal."))


def start_payment(providers: Iterable[str]) -> Schema:
    """The body of start-payment, where `provider` may be one of `providers`."""
    names = tuple(providers)
    body = {
        "provider": Choice(
            names,
            code="unknown_provider",
            detail=f"Must be one of {', '.join(names)}.",
            load_default=None,
            metadata=about("Who takes the money. Whoever offers it if left out.", names[0]),
        ),
        "payment_method": SafeStr(
            load_default=None,
            max_length=64,
            metadata=about(
                "A way to pay of `/orders/payment-options/`. The provider's own form if left out.",
                "klarna",
            ),
        ),
    }
    return Schema.from_dict(body, name="StartPayment")()  # type: ignore[return-value, arg-type]


class PaymentOptionsQuery(Schema):
    """What is to be paid: an order of the caller's, or an amount."""

    order = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 2**63 - 1),
        metadata=about("The id of an order of yours; then nothing else is needed.", 42),
    )
    currency = Currency(load_default=None, metadata=about("ISO 4217.", "EUR"))
    country = CountryCode(
        load_default=None, metadata=about("Where the bill goes: ISO 3166-1 alpha-2.", "IE")
    )
    amount = Money(load_default=None, metadata=about("The total.", "39.98"))

    @validates_schema
    def ask_for_an_order_or_an_amount(self, data: dict[str, Any], **_context: Any) -> None:
        """Refuse what says neither, or a finer amount than the currency has."""
        if data["order"] is None and data["currency"] is None:
            raise ValidationError({"currency": ["missing_field: Name an order or a currency."]})
        if data["amount"] is not None and data["currency"] is not None:
            places = money.exponent(data["currency"])
            if data["amount"] != round(data["amount"], places):
                fault = f"invalid_price: Has more than the {places} decimals of the currency."
                raise ValidationError({"amount": [fault]})


EMPTY = Empty()
ORDER_CREATE = OrderCreate()
CANCEL = Cancel()
SHIP = Ship()
WHY = Why()
