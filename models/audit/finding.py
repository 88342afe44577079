"""Findings: rows that break a promise, kept for staff until they no longer do."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Boolean, ColumnElement, Index, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.audit.check import MOST_FOUND, Found, Promise
from models.base import Base, BigId
from models.session import now

_OPEN = text("closed_at IS NULL")


class Finding(Base):
    """At most one is open for a promise and a row."""

    __tablename__ = "finding"
    __table_args__ = (
        Index(
            "uq_finding_open",
            "promise",
            "subject",
            "subject_id",
            unique=True,
            postgresql_where=_OPEN,
        ),
        Index("ix_finding_closed", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    )

    id: Mapped[BigId]
    promise: Mapped[str]
    invariant: Mapped[int]
    subject: Mapped[str]
    subject_id: Mapped[int]
    order_id: Mapped[int | None]
    detail: Mapped[str]
    repair: Mapped[str]
    provider: Mapped[str | None]
    reference: Mapped[str | None]
    """The id at the provider, of what was compared with it."""
    first_seen_at: Mapped[datetime] = mapped_column(default=now())
    last_seen_at: Mapped[datetime] = mapped_column(default=now())
    closed_at: Mapped[datetime | None]


def file(
    session: Session, promise: Promise, found: Collection[Found], judged: ColumnElement[bool]
) -> None:
    """Keep what was found among the rows `judged`, and close what was found there before."""
    _close_all_but(session, promise, {each.subject_id for each in found}, judged)
    if found:
        _keep(session, promise, found)


def _close_all_but(
    session: Session, promise: Promise, found_ids: set[int], judged: ColumnElement[bool]
) -> None:
    if len(found_ids) >= MOST_FOUND:  # there may be more: none can be said to have gone
        return
    session.execute(
        update(Finding)
        .where(Finding.promise == promise.name, Finding.closed_at.is_(None), judged)
        .where(Finding.subject_id.not_in(found_ids))
        .values(closed_at=now())
        .execution_options(synchronize_session=False)
    )


def _keep(session: Session, promise: Promise, found: Collection[Found]) -> None:
    rows = [
        {
            "promise": promise.name,
            "invariant": promise.invariant,
            "subject": promise.subject,
            "repair": promise.repair,
            **each._asdict(),
        }
        for each in sorted(found)
    ]
    new = insert(Finding)
    session.execute(
        new.on_conflict_do_update(
            index_elements=["promise", "subject", "subject_id"],
            index_where=_OPEN,
            set_={"last_seen_at": now(), "detail": new.excluded.detail},
        ),
        rows,
    )


def keep(
    session: Session, promise: Promise, found: Found, *, provider: str, reference: str
) -> bool:
    """Keep what a provider has otherwise; whether that is news."""
    values = {"last_seen_at": now(), "detail": found.detail, "reference": reference}
    kept = (
        insert(Finding)
        .values(
            promise=promise.name,
            invariant=promise.invariant,
            subject=promise.subject,
            repair=promise.repair,
            provider=provider,
            reference=reference,
            **found._asdict(),
        )
        .on_conflict_do_update(
            index_elements=["promise", "subject", "subject_id"], index_where=_OPEN, set_=values
        )
        .returning(literal_column("xmax = 0", Boolean))  # no row was there before
    )
    return session.execute(kept).scalar_one()


def of_provider(
    session: Session, provider: str, promises: Collection[Promise]
) -> Sequence[Finding]:
    """The open ones of these promises, those first that were seen longest ago."""
    return session.scalars(
        select(Finding)
        .where(
            Finding.closed_at.is_(None),
            Finding.provider == provider,
            Finding.promise.in_([promise.name for promise in promises]),
        )
        .order_by(Finding.last_seen_at, Finding.id)
    ).all()


def open_ones(
    session: Session, *, limit: int, after: int | None = None, promise: str | None = None
) -> Sequence[Finding]:
    """What is open, newest first; `after` is the id of the last one seen before."""
    query = select(Finding).where(Finding.closed_at.is_(None)).order_by(Finding.id.desc())
    if after is not None:
        query = query.where(Finding.id < after)
    if promise is not None:
        query = query.where(Finding.promise == promise)
    return session.scalars(query.limit(limit)).all()


def figures(session: Session) -> dict[str, int]:
    """How many findings are open, by promise; what has none is left out."""
    counted = (
        select(Finding.promise, func.count().label("number"))
        .where(Finding.closed_at.is_(None))
        .group_by(Finding.promise)
    )
    return {row.promise: row.number for row in session.execute(counted)}
