"""People with a password: customers, and staff who are viewers, clerks or managers."""

import base64
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import journal
from models.base import Base, BigId
from models.rows import Rows
from models.session import now

STAFF_ROLES = frozenset({"viewer", "clerk", "manager"})
ROLES = ("customer", *sorted(STAFF_ROLES))

LEAST_PASSWORD, LONGEST_PASSWORD = 10, 200
_LEAST_DIFFERENT = 5
_LEAST_NAME = 4
_COMMON = frozenset(
    {
        "1q2w3e4r5t",
        "password123",
        "password1234",
        "passw0rd123",
        "qwerty12345",
        "qwertyuiop",
        "1234567890",
        "letmein1234",
        "welcome1234",
        "iloveyou123",
        "admin12345",
        "changeme123",
    }
)


class WeakPasswordError(Exception):
    """The password is one that would be guessed; the text says why."""


class User(Base):
    __tablename__ = "user_account"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'viewer', 'clerk', 'manager')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[BigId]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(default="customer")
    is_active: Mapped[bool] = mapped_column(default=True)
    session_version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Sessions that bear another one have ended."""
    created_at: Mapped[datetime] = mapped_column(default=now())

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES


_ACTIVE = Rows(User, "WHERE id = %(id)s AND is_active")


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody_hash() -> str:
    """As costly to verify as any other; made up, since hashing would give away the first try."""
    hasher = _hasher()
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = map(_unpadded, (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


def _unpadded(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def hashed(email: str, password: str) -> str:
    """The Argon2id hash that is kept of a password, or `WeakPasswordError`; takes a while."""
    name = email.lower().partition("@")[0]
    plain = password.casefold()
    if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPasswordError(f"Must have {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if plain in _COMMON or len(set(plain)) < _LEAST_DIFFERENT:
        raise WeakPasswordError("Must not be one that everybody tries first")
    if plain == email.lower() or (len(name) >= _LEAST_NAME and plain.startswith(name)):
        raise WeakPasswordError("Must not begin with the name in the e-mail address")
    return _hasher().hash(password)


def fits(user: User | None, password: str) -> bool:
    """Whether the password is the user's; for nobody it is never, and takes as long to tell."""
    try:
        _hasher().verify(user.password_hash if user else _nobody_hash(), password)
    except VerificationError:
        return False
    return user is not None


def create(session: Session, *, email: str, password: str, role: str, who: str) -> User:
    """Add a user; raises `WeakPasswordError`."""
    user = User(email=email.lower(), password_hash=hashed(email, password), role=role)
    session.add(user)
    session.flush()
    journal.write(session, user, "user.created", None, role, who=who, why="created")
    return user


def sign_up(session: Session, *, email: str, password_hash: str) -> None:
    """Add a customer unless the address is taken; either way as much is written."""
    values = {"email": email.lower(), "password_hash": password_hash, "role": "customer"}
    added = session.scalar(
        insert(User).values(values).on_conflict_do_nothing(index_elements=["email"]).returning(User)
    )
    subject = added or session.scalars(select(User).where(User.email == email.lower())).one()
    what = "user.created" if added else "user.sign_up_repeated"
    role = "customer" if added else None
    journal.write(session, subject, what, None, role, who="guest", why="signed up")


def find(session: Session, user_id: int) -> User | None:
    """The active user of this id."""
    return _ACTIVE.first(session, id=user_id)


def by_email(session: Session, email: str) -> User | None:
    """The active user of this address."""
    return session.scalar(select(User).where(User.email == email.lower(), User.is_active))


def is_known(session: Session, email: str) -> bool:
    """Whether an account, active or not, has this address."""
    return session.scalar(select(User.id).where(User.email == email.lower())) is not None


def every_one(session: Session, role: str | None = None) -> Sequence[User]:
    """All users, or those of one role, by address."""
    chosen = select(User).order_by(User.email)
    return session.scalars(chosen.where(User.role == role) if role else chosen).all()


def lock(session: Session, email: str) -> User:
    """The user of this address, active or not, locked; raises NoResultFound."""
    return session.scalars(
        select(User).where(User.email == email.lower()).with_for_update(key_share=True)
    ).one()


def change_password(session: Session, user: User, password_hash: str, *, who: str) -> None:
    """Give a locked user another password, which ends all their sessions."""
    user.password_hash = password_hash
    end_sessions(session, user, who=who, why="the password was changed")


def end_sessions(session: Session, user: User, *, who: str, why: str) -> None:
    """Let no session of a locked user go on, on whatever device."""
    user.session_version += 1
    journal.write(session, user, "user.sessions_ended", None, None, who=who, why=why)


def set_role(session: Session, user: User, role: str, *, who: str) -> None:
    """Have a locked user do what the role may, from the next request on."""
    was, user.role = user.role, role
    journal.write(session, user, "user.role", was, role, who=who, why="given another role")


def set_active(session: Session, user: User, *, is_active: bool, who: str, why: str) -> None:
    """Let a locked user in, or nobody by their password, session or key."""
    user.is_active = is_active
    end_sessions(session, user, who=who, why=why)


def names(session: Session, user_ids: Collection[int]) -> dict[int, str]:
    """The addresses of these users, by id."""
    if not user_ids:
        return {}
    known = select(User.id, User.email).where(User.id.in_(user_ids))
    return {row.id: row.email for row in session.execute(known)}
