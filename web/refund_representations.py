"""What goes in and out about money that goes back: refunds, disputes, refunds made by hand."""

from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate, validates

from models import dispute, refund
from web.fields import Choice, Items, Money, Nested, SafeStr, StrictInt
from web.outgoing import currency_code, flag, moment, money, number, one_of, text
from web.paging import Page
from web.schemas import MAX_ITEMS, MAX_QUANTITY, Schema, about

_MOST_ORDERS = 100


def _id(**options: Any) -> StrictInt:
    return StrictInt(minimum=1, maximum=2**63 - 1, code="invalid_field", **options)


class RestockLine(Schema):
    product_sku = SafeStr(
        required=True, max_length=64, metadata=about("As it was ordered.", "TSHIRT-BLUE")
    )
    quantity = StrictInt(
        required=True,
        minimum=1,
        maximum=MAX_QUANTITY,
        code="invalid_quantity",
        metadata=about("How many pieces came back.", 1),
    )


class Restock(fields.Field[Any]):
    """Whether all of the order's goods go on sale again, or a list of those that do."""

    _lines = Items(Nested(RestockLine), most=MAX_ITEMS)

    def _deserialize(self, value: Any, *rest: Any, **context: Any) -> bool | dict[str, int]:
        if isinstance(value, bool):
            return value
        units: dict[str, int] = {}
        for line in self._lines.deserialize(value, *rest, **context):
            units[line["product_sku"]] = units.get(line["product_sku"], 0) + line["quantity"]
        return units


class RefundIn(Schema):
    example: ClassVar[dict[str, Any]] = {
        "amount": "12.50",
        "reason": "requested_by_customer",
        "note": "One of two came back.",
        "restock": [{"product_sku": "TSHIRT-BLUE", "quantity": 1}],
    }

    amount = Money(
        load_default=None,
        allow_none=False,  # all of it is not given back for a form that was left empty
        metadata=about(
            "How much to give back; needs an `Idempotency-Key`. If left out: all that is left of "
            "the payment, once.",
            "12.50",
        ),
    )
    reason = Choice(
        refund.REASONS,
        code="invalid_field",
        detail=f"Must be one of {', '.join(refund.REASONS)}.",
        load_default=None,
        metadata=about("What the provider is told."),
    )
    note = SafeStr(load_default=None, max_length=500, metadata=about("For the journal."))
    restock = Restock(
        load_default=False,
        metadata={
            "anyOf": [
                {"type": "boolean"},
                {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/RestockLine"},
                    "minItems": 1,
                    "maxItems": MAX_ITEMS,
                },
            ],
            **about(
                "What goes on sale again once the provider has taken the refund: `true` for all "
                "that can, or a list of `product_sku` and `quantity`."
            ),
        },
    )

    @validates("amount")
    def refuse_nothing(self, value: Decimal | None, **_context: Any) -> None:
        if value is not None and not value:
            raise ValidationError("invalid_price: Must be above zero.")


class Refund(Schema):
    example: ClassVar[dict[str, Any]] = {
        "refund_id": 3,
        "payment_id": 7,
        "status": "requested",
        "amount": "12.50",
        "currency": "EUR",
        "created_at": "2026-11-22T12:30:00+00:00",
        "order_id": 42,
        "origin": "staff",
        "reason": "requested_by_customer",
        "restock": [{"product_sku": "TSHIRT-BLUE", "quantity": 1}],
        "requested_by": "staff:2",
        "provider": "stripe",
        "provider_refund_id": None,
        "failure": None,
        "ended_at": None,
    }

    refund_id = number("The refund.", 3)
    payment_id = number("The payment it gives back from.", 7)
    status = one_of(refund.STATES, "Where the refund stands.")
    amount = money("What is given back")
    currency = currency_code()
    created_at = moment("When it was asked for.")
    order_id = fields.Integer(metadata=about("The order that was paid; this and below for staff."))
    origin = one_of(refund.ORIGINS, "Who wanted it.", required=False)
    reason = text("What the provider was told.", required=False, allow_none=True)
    restock = fields.List(Nested(RestockLine), metadata=about("What goes on sale again."))
    requested_by = text("Who asked for it.", "staff:2", required=False)
    provider = text("Who gives the money back.", "stripe", required=False)
    provider_refund_id = text("Its name at the provider.", required=False, allow_none=True)
    failure = text("Why it failed.", required=False, allow_none=True)
    ended_at = moment("When it was over.", required=False, allow_none=True)


class RefundQuery(Page):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(tuple(refund.STATES)),
        metadata=about("Where the refund stands.", "failed"),
    )
    origin = fields.String(
        load_default=None,
        validate=validate.OneOf(refund.ORIGINS),
        metadata=about("Who wanted it.", "provider"),
    )


class RefundList(Schema):
    data = fields.List(Nested(Refund), required=True, metadata=about("Newest first."))
    has_more = flag("Whether there are more after these.")


class RecordIn(Schema):
    example: ClassVar[dict[str, Any]] = {"payment_id": 7, "provider_refund_id": "re_1Example"}

    payment_id = _id(required=True, metadata=about("The payment it gave back from.", 7))
    provider_refund_id = SafeStr(
        required=True, max_length=255, metadata=about("Its name at the provider.", "re_1Example")
    )


class Recording(Schema):
    example: ClassVar[dict[str, Any]] = {
        "payment_id": 7,
        "provider_refund_id": "re_1Example",
        "job_id": 12,
        "refund": None,
    }

    payment_id = number("The payment it gave back from.", 7)
    provider_refund_id = text("Its name at the provider.", "re_1Example")
    job_id = fields.Integer(
        required=True, allow_none=True, metadata=about("The job that asks the provider.", 12)
    )
    refund = Nested(
        Refund, required=True, allow_none=True, metadata=about("The refund, if it is known.")
    )


class MarkRefundedIn(Schema):
    example: ClassVar[dict[str, Any]] = {"order_ids": [42, 43]}

    order_ids = Items(_id(), most=_MOST_ORDERS, required=True, metadata=about("Orders, each once."))


class MarkedRefunded(Schema):
    order_id = number("The order.", 42)
    refunds = fields.List(
        Nested(Refund), required=True, metadata=about("What was asked for, now or before.")
    )
    code = text("Why nothing was: the code of a problem.", required=False)
    detail = text("The same for people.", required=False)


class MarkedRefundedList(Schema):
    data = fields.List(
        Nested(MarkedRefunded), required=True, metadata=about("One for each order, as sent.")
    )


class Dispute(Schema):
    id = number("The dispute.", 4)
    order_id = number("The order.", 42)
    payment_id = number("The payment that the customer disputes.", 7)
    provider = text("Who took the money.", "stripe")
    provider_dispute_id = text("Its name at the provider.")
    state = one_of(dispute.STATES, "Who has won, if anyone has.")
    status = text("The provider's own word.", "needs_response")
    reason = text("What the customer's bank says.", "fraudulent")
    amount = money("What the bank wants back")
    currency = currency_code()
    is_refundable = flag("Whether a refund would not pay the customer twice.")
    due_by = moment("Until when the shop can answer.", allow_none=True)
    opened_at = moment("When it was opened.")
    ended_at = moment("When it ended.", allow_none=True)


class DisputeQuery(Page):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(tuple(dispute.STATES)),
        metadata=about("Who has won, if anyone has.", "open"),
    )


class DisputeList(Schema):
    data = fields.List(
        Nested(Dispute),
        required=True,
        metadata=about("Open ones first, the most urgent before the others; then the newest."),
    )
    has_more = flag("Whether there are more after these.")


REFUND_IN = RefundIn()
REFUND = Refund()
DISPUTE = Dispute()
