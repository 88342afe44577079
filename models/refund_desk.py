"""Refunds as staff use them: they ask, look, and have what was done by hand taken over."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import job_desk, journal, orders, payment, refund, restocking
from models.payment import Payment
from models.refund import NotRefundableError, Refund

Restock: TypeAlias = bool | Mapping[str, int]
"""Whether all that can come back goes on sale again, or how many units of which SKUs."""


class NotReturnableError(Exception):
    """Of some SKUs more is to come back than can; `returnable` says how much of them can."""

    def __init__(self, returnable: Mapping[str, int]) -> None:
        super().__init__(f"no more can come back than {dict(returnable)}")
        self.returnable = returnable


class ChangedMeanwhileError(Exception):
    """Another refund was asked for, or failed, since whoever asks has looked."""


def find(
    session: Session,
    *,
    limit: int,
    after: int | None = None,
    state: str | None = None,
    origin: str | None = None,
) -> Sequence[Refund]:
    """The refunds that fit, newest first; `after` is the id of the last one seen before."""
    query = select(Refund).order_by(Refund.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Refund.state == state)
    if origin is not None:
        query = query.where(Refund.origin == origin)
    if after is not None:
        query = query.where(Refund.id < after)
    return session.scalars(query).all()


def request(
    session: Session,
    payment_id: int,
    *,
    amount_minor: int | None,
    reason: str | None,
    restock: Restock,
    who: str,
    why: str,
    seen_minor: int | None = None,
) -> Refund:
    """Have money given back and goods put on sale again, both or neither.

    What `models.refund.request` says of repetition holds for the goods, too. Raises its errors,
    NoResultFound if there is no such payment, `NotReturnableError`, and if whoever asks has seen
    another sum left than is, `ChangedMeanwhileError`.
    """
    order, paid = payment.lock_with_order(session, payment_id)
    if amount_minor is None and (earlier := refund.everything_of(session, payment_id)) is not None:
        return earlier
    if seen_minor is not None and seen_minor != refund.left_minor(session, paid):
        raise ChangedMeanwhileError
    row = refund.request(
        session, payment_id, amount_minor=amount_minor, reason=reason, who=who, why=why
    )
    row.restock = _units(session, order.id, restock)
    return row


def _units(session: Session, order_id: int, restock: Restock) -> dict[str, int] | None:
    """How many units come back, by item id."""
    if restock is False:
        return None
    returnable = restocking.returnable(session, order_id)
    if restock is not True:
        _check(restock, {each.sku: each.units for each in returnable})
    units = {
        str(each.item_id): each.units if restock is True else restock.get(each.sku, 0)
        for each in returnable
    }
    return {item_id: count for item_id, count in units.items() if count} or None


def _check(wanted: Mapping[str, int], returnable: Mapping[str, int]) -> None:
    too_many = {sku for sku, units in wanted.items() if units > returnable.get(sku, 0)}
    if too_many:
        raise NotReturnableError({sku: returnable.get(sku, 0) for sku in sorted(too_many)})


def request_everything(session: Session, order_id: int, *, who: str, why: str) -> list[Refund]:
    """Have all given back that the payments of the order hold; again, the same refunds.

    Raises NoResultFound, `NotRefundableError` if they hold nothing, or `DisputedError`.
    """
    order = orders.lock(session, order_id)
    asked = [
        refund.request(session, paid.id, who=who, why=why)
        for paid in payment.of_order(session, order_id)
        if paid.state == "succeeded" and _is_or_was_held(session, paid)
    ]
    if not asked:
        raise NotRefundableError(order.state)
    return asked


def _is_or_was_held(session: Session, paid: Payment) -> bool:
    """Whether the payment holds money, or one refund gives back all that it held."""
    return (
        refund.left_minor(session, paid) > 0 or refund.everything_of(session, paid.id) is not None
    )


def recorded(session: Session, payment_id: int, provider_refund_id: str) -> Refund | None:
    """The refund of this payment that the provider calls so, if we know it."""
    return session.scalar(
        select(Refund).where(
            Refund.payment_id == payment_id, Refund.provider_refund_id == provider_refund_id
        )
    )


def record(session: Session, payment_id: int, provider_refund_id: str, *, who: str) -> int:
    """Have a refund that was made by hand taken over; the id of the job that asks the provider.

    Asked again, it is the same job until that has ended, then another: a slip can be mended.
    Raises NoResultFound if there is no such payment.
    """
    _, paid = payment.lock_with_order(session, payment_id)
    asking, is_new = job_desk.ask(
        session,
        "refunds.record",
        key=f"record:{payment_id}:{provider_refund_id}",
        order_id=paid.order_id,
        payment_id=payment_id,
        provider_refund_id=provider_refund_id,
    )
    if is_new:
        why = f"refund {provider_refund_id} was made by hand"
        journal.write(session, paid, "payment.refund_reported", None, None, who=who, why=why)
    return asking.id
