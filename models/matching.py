"""Finding the payment that an event speaks of, even before its answer was stored."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from models.payment import Payment


def match(
    session: Session,
    provider: str,
    provider_payment_id: str | None,
    key: str | None,
    marked_id: int | None,
) -> int | None:
    """The payment a provider speaks of: by its id there, by the key of our call, by our mark.

    If it does not say the id, as of a refund or a dispute, our mark alone says which.
    """
    for condition in _likenesses(provider_payment_id, key, marked_id):
        payment_id = session.scalar(
            select(Payment.id).where(Payment.provider == provider, *condition)
        )
        if payment_id is not None:
            return payment_id
    return None


def _likenesses(
    provider_payment_id: str | None, key: str | None, marked_id: int | None
) -> Iterator[tuple[ColumnElement[bool], ...]]:
    if provider_payment_id is None:
        yield (Payment.id == marked_id,)
        return
    yield (Payment.provider_payment_id == provider_payment_id,)
    unclaimed = Payment.provider_payment_id.is_(None)
    if key is not None:
        yield (Payment.provider_key == key, unclaimed)
    if marked_id is not None:
        yield (Payment.id == marked_id, unclaimed)
