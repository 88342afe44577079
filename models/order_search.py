"""What somebody means who types something into the search: a number, a mail, a SKU, an id."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from models.dispute import Dispute
from models.order_desk import Filter
from models.orders import Order
from models.payment import Payment
from models.refund import Refund

_LONGEST_ID = 18


def meant(session: Session, text: str, wanted: Filter, *, providers: Collection[str]) -> Filter:
    """`wanted`, narrowed to what the text means; each meaning is looked up by an index."""
    if "@" in text:
        return replace(wanted, email=text)
    if ids := _by_id(session, text) or _at_providers(session, text, providers):
        return replace(wanted, order_ids=ids)
    return replace(wanted, sku=text)


def _by_id(session: Session, text: str) -> tuple[int, ...]:
    number = text.removeprefix("#")
    known = Order.order_number == text.upper()
    if number.isdecimal() and len(number) <= _LONGEST_ID:
        known |= Order.id == int(number)
    return tuple(session.scalars(select(Order.id).where(known)))


def _at_providers(session: Session, text: str, providers: Collection[str]) -> tuple[int, ...]:
    """By the provider's id of a payment, refund or dispute."""
    named = union(
        *(
            select(kind.order_id).where(kind.provider.in_(providers), column == text)
            for kind, column in (
                (Payment, Payment.provider_payment_id),
                (Refund, Refund.provider_refund_id),
                (Dispute, Dispute.provider_dispute_id),
            )
        )
    )
    return tuple(session.scalars(named))
