"""API keys: what a program shows instead of a password. Only their hashes are kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import journal, user
from models.base import Base, BigId
from models.rows import Rows
from models.session import now
from models.statement import Statement
from models.user import User

PREFIX = "ok_"
SCOPES = (
    "orders:read",
    "orders:write",
    "refunds:write",
    "catalog:write",
    "jobs:read",
    "jobs:write",
)
CUSTOMER_SCOPES = SCOPES[:2]
MOST_KEYS = 20
LONGEST_DAYS = 366

_FORM = re.compile(rf"({PREFIX}[0-9a-f]{{12}})_[\w-]{{43}}", re.ASCII)
_NO_HASH = bytes(hashlib.sha256().digest_size)


class TooManyKeysError(Exception):
    """The user has as many keys in force as one may have."""


class ScopeNotAllowedError(Exception):
    """A customer's key cannot do what only staff may; `scopes` names it."""

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__(f"not for customers: {', '.join(scopes)}")
        self.scopes = list(scopes)


class ApiKey(Base):
    """It acts as its user, and does no more than its scopes say."""

    __tablename__ = "api_key"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    """Its visible beginning, random for itself: it tells nothing of the rest."""
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now())
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def create(
    session: Session,
    owner: User,
    *,
    name: str,
    scopes: Sequence[str],
    days: int | None,
    who: str,
) -> tuple[ApiKey, str]:
    """Add a key and return it with its text, which is not kept.

    In force for so many days, or until it is revoked. Raises `ScopeNotAllowedError` and
    `TooManyKeysError`.
    """
    if not owner.is_staff and (beyond := [each for each in scopes if each not in CUSTOMER_SCOPES]):
        raise ScopeNotAllowedError(beyond)
    if len(_in_force(session, owner.id)) >= MOST_KEYS:
        raise TooManyKeysError
    prefix = PREFIX + secrets.token_hex(6)
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        user_id=owner.id,
        name=name,
        prefix=prefix,
        secret_hash=_hash(text),
        scopes=sorted(set(scopes)),
        created_by=who,
        expires_at=now() + timedelta(days=days) if days else None,
    )
    session.add(key)
    session.flush()
    why = f"{key.prefix} for {', '.join(key.scopes)}"
    journal.write(session, key, "api_key.created", None, None, who=who, why=why)
    return key, text


def use(session: Session, text: str) -> tuple[ApiKey, User] | None:
    """The key in force that this is, with its active user; told in constant time.

    Its use is noted, at most once a minute.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    key = _KNOWN.first(session, prefix=form[1])
    is_it = hmac.compare_digest(_hash(text), key.secret_hash if key else _NO_HASH)
    if key is None or not is_it:
        return None
    owner = user.find(session, key.user_id)
    if owner is None:
        return None
    _NOTE.row(session, {"id": key.id})
    return key, owner


def of_user(session: Session, user_id: int) -> Sequence[ApiKey]:
    """The user's keys, newest first, those that have ended too."""
    chosen = select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id.desc())
    return session.scalars(chosen.limit(5 * MOST_KEYS)).all()


def all_in_force(session: Session) -> Sequence[tuple[ApiKey, str]]:
    """All keys that open something, with their users' addresses."""
    return [
        (key, email)
        for key, email in session.execute(
            select(ApiKey, User.email)
            .join(User, User.id == ApiKey.user_id)
            .where(User.is_active, *_IN_FORCE)
            .order_by(ApiKey.id)
        )
    ]


def revoke(session: Session, key: ApiKey, *, who: str) -> None:
    """Let the key open nothing from now on; one that is revoked stays as it is."""
    revoked_at = session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(ApiKey.revoked_at)
    )
    if revoked_at is not None:
        session.refresh(key)
        journal.write(session, key, "api_key.revoked", None, None, who=who, why=key.prefix)


def by_prefix(session: Session, prefix: str) -> ApiKey | None:
    """The key that begins so."""
    return session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))


_IN_FORCE = (
    ApiKey.revoked_at.is_(None),
    or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now()),
)
# Only the clock is interpolated below, never a value (S608).
_KNOWN = Rows(
    ApiKey,
    "WHERE prefix = %(prefix)s AND revoked_at IS NULL"
    f" AND (expires_at IS NULL OR expires_at > {now()})",
)
_NOTE = Statement(f"""
UPDATE api_key SET last_used_at = {now()}
WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at <= {now()} - interval '1 minute')
RETURNING id
""")  # noqa: S608


def _in_force(session: Session, user_id: int) -> Sequence[int]:
    """The user's keys, locked against a second request that counts them too."""
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    return session.scalars(select(ApiKey.id).where(ApiKey.user_id == user_id, *_IN_FORCE)).all()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
