"""What the API shows of its objects: the one description that answers and documentation share."""

from typing import Any, ClassVar

from marshmallow import INCLUDE, fields, validate

from models import orders, payment, stock
from web.fields import Nested
from web.outgoing import currency_code, flag, moment, money, number, one_of, text
from web.refund_representations import Dispute, Refund
from web.schemas import Schema, about

ORDER_STATUSES = (*orders.STATES, "shipped", "delivered", "partially_refunded", "refunded")


class Address(Schema):
    name = text("Who receives it.", allow_none=True)
    line1 = text("Street and number.", "123 Street")
    line2 = text("Flat, floor, company.", allow_none=True)
    city = text("City or town.", "Town")
    region = text("State, county, province.", allow_none=True)
    postal_code = text("Postal code.", "12345")
    country = text("ISO 3166-1 alpha-2.", "IE")
    phone = text("For the carrier.", allow_none=True)


class OrderItem(Schema):
    product_title = text("As in the catalogue when it was ordered.", "Blue T-shirt")
    product_sku = text("As in the catalogue when it was ordered.", "TSHIRT-BLUE")
    unit_price = money("Price of one piece")
    quantity = number("How many pieces.", 2)
    line_total = money("Price of the line")
    product_status = one_of(stock.STATUSES, "The product's status when it was ordered.")


class OrderPayment(Schema):
    payment_id = number("For GET /orders/payments/<payment_id>/.", 7)
    provider = text("Who takes the money.", "stripe")
    payment_method = text("How it is paid, if that was chosen.", "klarna", allow_none=True)
    status = one_of(payment.STATES, "Where the payment stands.")
    amount = money("What is to be paid")
    refunded = money("What has been given back of it")
    currency = currency_code()
    created_at = moment("When it was started.")


class TimelineEntry(Schema):
    at = moment("When it happened.")
    what = text("What changed.", "order.state")
    source = text("The state before.", attribute="from", data_key="from", allow_none=True)
    to = text("The state after.", "paid", allow_none=True)
    who = text("Who or what did it.", "stripe")
    why = text("The reason that was given; staff's own are for staff.", allow_none=True)


class Shipment(Schema):
    carrier = text("Who brings it.", "An Post", allow_none=True)
    tracking_number = text("The carrier's number for it.", "RR123456789IE", allow_none=True)
    tracking_url = text("Where to follow it.", allow_none=True)
    shipped_at = moment("When the goods left.")
    delivered_at = moment("When they arrived.", allow_none=True)


class Order(Schema):
    example: ClassVar[dict[str, Any]] = {
        "id": 42,
        "order_number": "7KQ2-M9XD-4TFA",
        "status": "pending",
        "state": "pending",
        "fulfilment": "none",
        "closing": None,
        "stock_shortage": False,
        "needs_review": False,
        "disputed": False,
        "currency": "EUR",
        "total": "39.98",
        "refunded": "0.00",
        "guest_email": "guest@example.com",
        "expires_at": "2026-11-22T12:15:00+00:00",
        "created_at": "2026-11-22T12:00:00+00:00",
        "paid_at": None,
        "items": [
            {
                "product_title": "Blue T-shirt",
                "product_sku": "TSHIRT-BLUE",
                "unit_price": "19.99",
                "quantity": 2,
                "line_total": "39.98",
                "product_status": "available",
            }
        ],
        "shipping_address": {
            "name": None,
            "line1": "123 Street",
            "line2": None,
            "city": "Town",
            "region": None,
            "postal_code": "12345",
            "country": "IE",
            "phone": None,
        },
        "billing_address": None,
        "shipment": None,
        "payments": [],
        "refunds": [],
        "timeline": [],
    }

    id = number("For addresses of this API.", 42)
    order_number = text("For people: unguessable, shown to the customer.")
    token = text("Who sends it as `Authorization: Bearer` is the owner.", required=False)
    status = one_of(ORDER_STATUSES, "What a customer calls the state of the order.")
    state = one_of(orders.STATES, "Whether it is paid or ended.")
    fulfilment = one_of(("none", "shipped", "delivered"), "Where the goods are.")
    closing = one_of(("expired", "cancelled"), "How it is being ended.", allow_none=True)
    stock_shortage = flag("It is paid, but not all of it was in stock.")
    needs_review = flag("Staff must look at it.")
    disputed = flag("The customer disputes the charge at the provider.")
    currency = currency_code()
    total = money("The sum of all lines")
    refunded = money("What has been given back of it")
    guest_email = text("Where mails go.", allow_none=True)
    expires_at = moment("Until when the goods are held.", allow_none=True)
    created_at = moment("When it was placed.")
    paid_at = moment("When it was paid.", allow_none=True)
    items = fields.List(Nested(OrderItem), required=True, metadata=about("Its lines."))
    shipping_address = Nested(Address, required=True, metadata=about("Where the goods go."))
    billing_address = Nested(
        Address,
        required=True,
        allow_none=True,
        metadata=about("Where the bill goes, if elsewhere."),
    )
    shipment = Nested(
        Shipment,
        required=True,
        allow_none=True,
        metadata=about("How the goods left, if they have."),
    )
    payments = fields.List(
        Nested(OrderPayment), required=True, metadata=about("Each that was started.")
    )
    refunds = fields.List(Nested(Refund), required=True, metadata=about("Each that was asked for."))
    disputes = fields.List(Nested(Dispute), metadata=about("For staff."))
    timeline = fields.List(
        Nested(TimelineEntry), required=True, metadata=about("What happened to it, in order.")
    )


class Payment(Schema):
    example: ClassVar[dict[str, Any]] = {
        "payment_id": 7,
        "provider": "stripe",
        "payment_method": None,
        "status": "open",
        "amount": "39.98",
        "refunded": "0.00",
        "currency": "EUR",
        "created_at": "2026-11-22T12:01:00+00:00",
        "failure": None,
        "client_secret": "pi_abc_secret_123",
        "redirect_url": None,
        "publishable_key": "pk_test_abc",
    }

    payment_id = number("For GET /orders/payments/<payment_id>/.", 7)
    provider = text("Who takes the money.", "stripe")
    payment_method = text("How it is paid, if that was chosen.", "klarna", allow_none=True)
    status = one_of(payment.STATES, "Where the payment stands.")
    amount = money("What is to be paid")
    refunded = money("What has been given back of it")
    currency = currency_code()
    created_at = moment("When it was started.")
    capture_before = moment(
        "Until when reserved money can be captured; for staff.", required=False, allow_none=True
    )
    client_secret = text(
        "For the provider's form in the browser, while there is something to pay.",
        required=False,
        allow_none=True,
    )
    redirect_url = text(
        "The provider's own page, if the buyer pays there: go to it.",
        required=False,
        allow_none=True,
    )
    publishable_key = text(
        "The shop's public key at the provider.", required=False, allow_none=True
    )
    failure = text("Why the last attempt was declined.", required=False, allow_none=True)


class PaymentOption(Schema):
    provider = text("For start-payment.", "stripe")
    payment_method = text("For start-payment.", "klarna")
    flow = one_of(
        ("form", "redirect"),
        "Whether the buyer pays in a form on your page, with `client_secret`, or on the "
        "provider's own, at `redirect_url`.",
    )
    publishable_key = text("The shop's public key at the provider.", "pk_test_abc", allow_none=True)
    minimum = money("The least that can be paid so")
    maximum = money("The most that can be paid so")


class PaymentOptions(Schema):
    currency = currency_code()
    options = fields.List(
        Nested(PaymentOption), required=True, metadata=about("In the order of the shop.")
    )


class WebhookReceived(Schema):
    example: ClassVar[dict[str, Any]] = {"received": True}

    received = flag("It is stored; a worker applies it.", required=False)
    skipped = flag("It had been delivered before.", required=False)


class Health(Schema):
    example: ClassVar[dict[str, Any]] = {"status": "ok"}

    status = text("The process answers.", "ok")


class Readiness(Schema):
    example: ClassVar[dict[str, Any]] = {
        "status": "ready",
        "checks": {"database": "ok", "broker": "failed"},
    }

    status = text("The process can do its work.", "ready")
    checks = fields.Dict(
        fields.String(),
        fields.String(validate=validate.OneOf(("ok", "failed"))),
        required=True,
        metadata=about("What was looked at. Only what it cannot do without must be ok."),
    )


class FieldError(Schema):
    pointer = text("JSON pointer to a place in the body.", "/items/0/quantity", required=False)
    parameter = text("Name of a query parameter or header.", required=False)
    code = text("A stable code.", "invalid_quantity")
    detail = text("What is wrong there.")


class Problem(Schema):
    class Meta:
        unknown = INCLUDE

    type = text("Address of this code's documentation.")
    title = text("What happened, the same for every problem of this code.")
    status = number("The HTTP status.", 409)
    detail = text("What happened this time.")
    code = text("Stable, for programs.", "price_changed")
    hint = text("What the client can do.")
    request_id = text("Quote it when you report the problem.")
    errors = fields.List(Nested(FieldError), metadata=about("The fields that are not valid."))


ORDER = Order()
PAYMENT = Payment()
PAYMENT_OPTIONS = PaymentOptions()
WEBHOOK_RECEIVED = WebhookReceived()
HEALTH = Health()
READINESS = Readiness()
