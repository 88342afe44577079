"""Who is calling, and whose order it is: by session, API key, guest cookie or order token."""

import hmac
import secrets
from dataclasses import dataclass

from flask import g, session

from models import api_key
from models.api_key import ApiKey
from models.orders import Order
from models.session import at_once
from models.tokens import guest_hash, opens
from models.user import User
from web import headers, sessions
from web.errors import Problem

_NOBODYS = Order(id=0, user_id=None, token_version=0, guest_hash=bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    user: User | None
    guest_id: str | None = None
    token: str | None = None
    key: ApiKey | None = None

    @property
    def is_staff(self) -> bool:
        return self.user is not None and self.user.is_staff

    @property
    def name(self) -> str:
        """What the journal calls them."""
        if self.user is None:
            return "guest"
        by_key = f" {self.key.prefix}" if self.key else ""
        return f"{'staff' if self.user.is_staff else 'customer'}:{self.user.id}{by_key}"

    def owns(self, order: Order | None) -> bool:
        """Whether the order is theirs; takes as long for one that is not there."""
        whose = order or _NOBODYS
        known = whose.guest_hash or _NOBODYS.guest_hash or b""
        by_user = self.user is not None and self.user.id == whose.user_id
        by_token = opens(self.token or "", whose.id, whose.token_version)
        by_cookie = hmac.compare_digest(guest_hash(self.guest_id or ""), known)
        return order is not None and (by_user or by_token or by_cookie)

    def may_see(self, order: Order | None) -> bool:
        return self.owns(order) or (self.is_staff and order is not None)


def present() -> Caller:
    """The caller of this request; raises `invalid_key` if an API key was sent that is none."""
    caller: Caller | None = g.get("caller")
    if caller is None:
        caller = g.caller = _identify()
    return caller


def guest_id() -> str:
    """The random id of this browser, given to it now if it had none."""
    value: str | None = session.get("guest_id")
    if value is None:
        value = session["guest_id"] = secrets.token_urlsafe(24)
        session.permanent = True
    return value


def _identify() -> Caller:
    """A key stands for itself: whatever cookie comes with it is not looked at."""
    bearer = _bearer()
    if bearer is not None and bearer.startswith(api_key.PREFIX):
        return _by_key(bearer)
    account = sessions.present_user()
    return Caller(user=account, guest_id=session.get("guest_id"), token=bearer)


def _by_key(text: str) -> Caller:
    with at_once() as database:
        found = api_key.use(database, text)
    if found is None:
        raise Problem(401, "invalid_key")
    key, account = found
    return Caller(user=account, key=key)


def _bearer() -> str | None:
    scheme, _, token = (headers.sent("Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
