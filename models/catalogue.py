"""The catalogue: what is sold, at what price, and how many there are of it.

Each change locks its item, judges it as it is then, and writes who made it and why; what
changes the number of units is a movement too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import journal
from models.stock import StockItem, StockMovement, lock

SKU = r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}"
"""What a new SKU looks like: it fits into an address, and no spreadsheet takes it for a formula."""


class SkuTakenError(Exception):
    """An item with this SKU is there already, perhaps archived."""


class ImpossibleStockError(Exception):
    """The item cannot have so many units: `least` are held, and it may have `most`."""

    def __init__(self, item: StockItem, units: int) -> None:
        super().__init__(f"{item.sku} cannot have {units}: {item.held} are held")
        self.least, self.most = item.held, item.most_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which items to look for; None asks nothing."""

    text: str | None = None
    """A part of title or SKU, whatever the case."""
    is_available: bool | None = None
    is_unique: bool | None = None
    is_archived: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """What it asks, each an SQL condition."""
        archived = StockItem.status == "archived"
        asked = [archived if self.is_archived else ~archived]
        if self.text is not None:
            columns = (StockItem.title, StockItem.sku)
            asked.append(or_(*(each.icontains(self.text, autoescape=True) for each in columns)))
        if self.is_available is not None:
            left = (StockItem.status == "available") & (StockItem.stock > StockItem.held)
            asked.append(left if self.is_available else ~left)
        if self.is_unique is not None:
            asked.append(StockItem.is_unique.is_(self.is_unique))
        return asked


def create(
    session: Session,
    *,
    sku: str,
    title: str,
    unit_price_minor: int,
    currency: str,
    stock: int,
    is_unique: bool = False,
    who: str,
) -> StockItem:
    """Add an item to the catalogue; its first units are its first movement.

    Raises `SkuTakenError`.
    """
    item_id = session.scalar(
        insert(StockItem)
        .values(
            sku=sku,
            title=title,
            unit_price_minor=unit_price_minor,
            currency=currency,
            stock=stock,
            is_unique=is_unique,
            status="sold" if is_unique and stock == 0 else "available",
        )
        .on_conflict_do_nothing(index_elements=["sku"])
        .returning(StockItem.id)
    )
    if item_id is None:
        raise SkuTakenError(sku)
    item = session.get_one(StockItem, item_id)
    session.add(
        StockMovement(item_id=item_id, stock_delta=stock, held_delta=0, reason="created", who=who)
    )
    journal.write(session, item, "stock_item.created", None, item.status, who=who, why="created")
    return item


def find(session: Session, skus: Sequence[str]) -> dict[str, StockItem]:
    """The items of these SKUs that are for sale, by SKU; archived ones are not found."""
    items = session.scalars(
        select(StockItem).where(StockItem.sku.in_(skus), StockItem.status != "archived")
    )
    return {item.sku: item for item in items}


def look_up(session: Session, sku: str) -> StockItem:
    """The item, archived or not; raises NoResultFound."""
    return session.scalars(select(StockItem).where(StockItem.sku == sku)).one()


def listing(
    session: Session, wanted: Filter, *, limit: int, after: str | None = None
) -> Sequence[StockItem]:
    """The items that fit, by title; `after` is the SKU of the last one that was seen."""
    query = select(StockItem).where(*wanted.conditions())
    if after is not None:
        last = select(StockItem.title, StockItem.id).where(StockItem.sku == after)
        seen = session.execute(last).one_or_none()
        if seen is None:
            return []
        query = query.where(tuple_(StockItem.title, StockItem.id) > tuple_(*seen))
    return session.scalars(query.order_by(StockItem.title, StockItem.id).limit(limit)).all()


def movements(
    session: Session, sku: str, *, limit: int, after: int | None = None
) -> Sequence[StockMovement]:
    """How units and holds of the item changed, newest first; raises NoResultFound."""
    query = select(StockMovement).where(StockMovement.item_id == look_up(session, sku).id)
    if after is not None:
        query = query.where(StockMovement.id < after)
    return session.scalars(query.order_by(StockMovement.id.desc()).limit(limit)).all()


def change(
    session: Session,
    sku: str,
    *,
    title: str | None = None,
    unit_price_minor: int | None = None,
    who: str,
    why: str,
) -> StockItem:
    """Give the item another title or price; orders that are placed keep theirs.

    Raises NoResultFound.
    """
    item = _lock(session, sku)
    for name, value in (("title", title), ("unit_price_minor", unit_price_minor)):
        was = getattr(item, name)
        if value is not None and value != was:
            setattr(item, name, value)
            what = f"stock_item.{name}"
            journal.write(session, item, what, str(was), str(value), who=who, why=why)
    return item


def adjust(session: Session, sku: str, by: int, *, who: str, why: str) -> StockItem:
    """Add units that have come, or take off what is lost.

    Raises `ImpossibleStockError`, or NoResultFound.
    """
    return _book(session, _lock(session, sku), by, who=who, why=why)


def count(session: Session, sku: str, units: int, *, who: str, why: str) -> StockItem:
    """Say how many units there are, those that are held included.

    Raises `ImpossibleStockError`, or NoResultFound.
    """
    item = _lock(session, sku)
    return _book(session, item, units - item.stock, who=who, why=why)


def archive(session: Session, sku: str, *, who: str, why: str) -> StockItem:
    """Sell the item no more. What orders hold of it stays theirs; raises NoResultFound."""
    item = _lock(session, sku)
    return _stand(session, item, "archived", who, why)


def unarchive(session: Session, sku: str, *, who: str, why: str) -> StockItem:
    """Sell the item again; raises NoResultFound."""
    item = _lock(session, sku)
    return _stand(session, item, item.standing, who, why)


def _lock(session: Session, sku: str) -> StockItem:
    return session.scalars(
        select(StockItem)
        .where(StockItem.sku == sku)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _book(session: Session, item: StockItem, by: int, *, who: str, why: str) -> StockItem:
    was, units = item.stock, item.stock + by
    if not item.held <= units <= item.most_units:
        raise ImpossibleStockError(item, units)
    if by:
        item.stock = units
        reason = f"adjusted: {why}"
        session.add(
            StockMovement(item_id=item.id, stock_delta=by, held_delta=0, reason=reason, who=who)
        )
        journal.write(session, item, "stock_item.stock", str(was), str(units), who=who, why=why)
    return item if item.status == "archived" else _stand(session, item, item.standing, who, why)


def _stand(session: Session, item: StockItem, status: str, who: str, why: str) -> StockItem:
    was = item.status
    if was != status:
        item.status = status
        journal.write(session, item, "stock_item.status", was, status, who=who, why=why)
    return item


def not_unique(
    session: Session, units: int, *, sku_like: str | None = None, after: int = 0, limit: int
) -> Sequence[StockItem]:
    """Items of which there are just so many and that are not known as one-of-a-kind, by id.

    `sku_like` is a pattern as LIKE has them.
    """
    query = select(StockItem).where(
        StockItem.id > after, StockItem.stock == units, StockItem.is_unique.is_(False)
    )
    if sku_like is not None:
        query = query.where(StockItem.sku.like(sku_like))
    return session.scalars(query.order_by(StockItem.id).limit(limit)).all()


def mark_unique(
    session: Session, item_ids: Sequence[int], units: int, *, who: str, why: str
) -> int:
    """Make these items one-of-a-kind; how many were, of those that still have so many units.

    What an order holds becomes `reserved`: that order takes it or lets it go, like any piece.
    """
    lock(session, item_ids)
    items = session.scalars(
        select(StockItem)
        .where(StockItem.id.in_(item_ids), StockItem.stock == units, ~StockItem.is_unique)
        .execution_options(populate_existing=True)
    ).all()
    for item in items:
        item.is_unique = True
        journal.write(session, item, "stock_item.is_unique", "false", "true", who=who, why=why)
        if item.status != "archived":
            _stand(session, item, item.standing, who, why)
    return len(items)
