"""People with a password: customers, and staff who are viewers, clerks or managers."""

from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import CheckConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import journal
from models.base import Base, BigId
from models.session import now

STAFF_ROLES = frozenset({"viewer", "clerk", "manager"})


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
    created_at: Mapped[datetime] = mapped_column(default=now())

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody_hash() -> str:
    return _hasher().hash("nobody has this password")


def create(session: Session, *, email: str, password: str, role: str, who: str) -> User:
    """Add a user; the password is kept only as its Argon2id hash."""
    user = User(email=email.lower(), password_hash=_hasher().hash(password), role=role)
    session.add(user)
    session.flush()
    journal.write(session, user, "user.created", None, role, who=who, why="created")
    return user


def find(session: Session, user_id: int) -> User | None:
    """The active user of this id."""
    return session.scalar(select(User).where(User.id == user_id, User.is_active))


def is_known(session: Session, email: str) -> bool:
    """Whether an account, active or not, has this address."""
    return session.scalar(select(User.id).where(User.email == email.lower())) is not None


def authenticate(session: Session, email: str, password: str) -> User | None:
    """The active user of this address and password; unknown addresses take as long."""
    user = session.scalar(select(User).where(User.email == email.lower(), User.is_active))
    try:
        _hasher().verify(user.password_hash if user else _nobody_hash(), password)
    except VerificationError:
        return None
    return user
