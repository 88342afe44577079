"""Who is calling, and whose order it is: by user session, guest cookie or order token."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, g, request, session

import settings
from models import user
from models.orders import Order
from models.session import transaction
from models.tokens import guest_hash, opens
from models.user import User
from web.errors import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ACTING_ROLES = frozenset({"clerk", "manager"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    user: User | None
    guest_id: str | None
    token: str | None

    @property
    def is_staff(self) -> bool:
        return self.user is not None and self.user.is_staff

    @property
    def name(self) -> str:
        """What the journal calls them."""
        if self.user is None:
            return "guest"
        return f"{'staff' if self.user.is_staff else 'customer'}:{self.user.id}"

    def owns(self, order: Order) -> bool:
        """Whether the order is theirs, compared in constant time."""
        if self.user is not None and self.user.id == order.user_id:
            return True
        if self.token is not None and opens(self.token, order.id, order.token_version):
            return True
        return (
            self.guest_id is not None
            and order.guest_hash is not None
            and hmac.compare_digest(guest_hash(self.guest_id), order.guest_hash)
        )

    def may_see(self, order: Order) -> bool:
        return self.is_staff or self.owns(order)


def present() -> Caller:
    """The caller of this request."""
    if "caller" not in g:
        g.caller = Caller(user=_user(), guest_id=session.get("guest_id"), token=_token())
    caller: Caller = g.caller
    return caller


def admit_staff() -> None:
    """Let staff in and nobody else; viewers may look and do nothing."""
    account = present().user
    if account is None or not account.is_staff:
        raise Problem(404, "not_found")
    if request.method not in _READING and account.role not in _ACTING_ROLES:
        raise Problem(403, "role_too_low")


def staff_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Admit staff before anything else of the request is looked at."""

    @wraps(view)
    def admitting(*args: Any, **path: Any) -> Any:
        admit_staff()
        return view(*args, **path)

    return admitting


def guest_id() -> str:
    """The random id of this browser, given to it now if it had none."""
    if "guest_id" not in session:
        session["guest_id"] = secrets.token_urlsafe(24)
        session.permanent = True
    value: str = session["guest_id"]
    return value


def register(app: Flask) -> None:
    """Sign the session cookie, and refuse writes that another site's page sends with it."""
    chosen = settings.current()
    app.config.update(
        SECRET_KEY=chosen.secret_key,
        SECRET_KEY_FALLBACKS=list(chosen.secret_key_fallbacks),
        SESSION_COOKIE_NAME="__Host-orders" if chosen.is_production else "orders",
        SESSION_COOKIE_SECURE=chosen.is_production,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.before_request(_refuse_foreign_pages)


def _refuse_foreign_pages() -> None:
    origin = request.headers.get("Origin")
    if request.method in _READING or origin is None or not session:
        return
    if urlsplit(origin).netloc not in (
        request.host,
        urlsplit(settings.current().public_url).netloc,
    ):
        raise Problem(403, "unauthorized_origin")


def _user() -> User | None:
    if "user_id" not in session:
        return None
    with transaction() as database:
        return user.find(database, session["user_id"])


def _token() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
