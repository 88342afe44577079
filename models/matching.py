"""Finding the payment that an event speaks of, even before its answer was stored."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from models.statement import Statement

_BY = "SELECT id FROM payment WHERE provider = %(provider)s AND"
_BY_MARK = Statement(f"{_BY} id = %(likeness)s")
_BY_ID = Statement(f"{_BY} provider_payment_id = %(likeness)s")
_UNCLAIMED = "AND provider_payment_id IS NULL"
_BY_KEY_UNCLAIMED = Statement(f"{_BY} provider_key = %(likeness)s {_UNCLAIMED}")
_BY_MARK_UNCLAIMED = Statement(f"{_BY} id = %(likeness)s {_UNCLAIMED}")


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
    for statement, likeness in _likenesses(provider_payment_id, key, marked_id):
        found = statement.row(session, {"provider": provider, "likeness": likeness})
        if found is not None:
            return int(found[0])
    return None


def _likenesses(
    provider_payment_id: str | None, key: str | None, marked_id: int | None
) -> Iterator[tuple[Statement, str | int | None]]:
    if provider_payment_id is None:
        yield _BY_MARK, marked_id
        return
    yield _BY_ID, provider_payment_id
    if key is not None:
        yield _BY_KEY_UNCLAIMED, key
    if marked_id is not None:
        yield _BY_MARK_UNCLAIMED, marked_id
