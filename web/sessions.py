"""Sessions: a signed cookie says who signed in and when; here is known what ends it."""

import hashlib
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Flask, Response, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import Serializer, Signer, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode
from werkzeug.http import http_date

import settings
from models import user
from models.session import at_once
from models.user import User
from web import headers
from web.errors import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTED_EVERY = timedelta(minutes=1)


class _Serializer(URLSafeTimedSerializer):
    """Derives its keys once; does not try to compress sessions, too short to gain from it."""

    def __init__(self, usual: URLSafeTimedSerializer) -> None:
        by_salt = usual.make_signer()
        keys = [by_salt.derive_key(key) for key in by_salt.secret_keys]
        options = {"key_derivation": "none", "digest_method": hashlib.sha1}  # as Flask's
        super().__init__(keys, salt=usual.salt, serializer=usual.serializer, signer_kwargs=options)
        self._signer = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        return super().make_signer(salt) if salt else self._signer

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


class _SignedCookies(SecureCookieSessionInterface):
    """Flask's own sessions, signed as Flask signs them; what can be made once is."""

    def __init__(self) -> None:
        self._serializers: dict[tuple[str, ...], _Serializer] = {}

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        keys = (*(app.config["SECRET_KEY_FALLBACKS"] or ()), app.config["SECRET_KEY"])
        if keys not in self._serializers and (usual := super().get_signing_serializer(app)):
            self._serializers[keys] = _Serializer(usual)
        return self._serializers.get(keys)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """As Flask does; werkzeug looks at length for what to quote, which is never in ours."""
        if not (session and session.modified):
            super().save_session(app, session, response)
            return
        value = self.get_signing_serializer(app).dumps(dict(session))  # type: ignore[union-attr]
        ends = self.get_expiration_time(app, session)
        parts = (
            f"{self.get_cookie_name(app)}={value}",
            *([f"Expires={ends}"] if ends else ()),
            *(["Secure"] if self.get_cookie_secure(app) else ()),
            "HttpOnly",
            "Path=/",
            f"SameSite={self.get_cookie_samesite(app)}",
        )
        response.headers.add("Set-Cookie", "; ".join(parts))
        response.vary.add("Cookie")

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> str | None:  # type: ignore[override]
        """As the cookie says it, to the minute; werkzeug takes it as it is."""
        if not session.permanent:
            return None
        ends = time.time() + app.permanent_session_lifetime.total_seconds()
        return _said_of_minute(int(ends // 60))


@lru_cache(maxsize=4)
def _said_of_minute(number: int) -> str:
    return http_date(60 * number)


class _Life(NamedTuple):
    """How long a session goes on unused, and how long at most."""

    idle: timedelta
    whole: timedelta


_OF_STAFF = _Life(timedelta(hours=2), timedelta(hours=12))
_OF_CUSTOMERS = _Life(timedelta(days=14), timedelta(days=90))


def register(app: Flask) -> None:
    """Sign the session cookie, and refuse writes that another site's page sends with it."""
    chosen = settings.current()
    app.config.update(
        SECRET_KEY=chosen.secret_key,
        SECRET_KEY_FALLBACKS=list(chosen.secret_key_fallbacks),
        SESSION_COOKIE_NAME=cookie_name(),
        SESSION_COOKIE_SECURE=chosen.is_production,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # a late answer must not undo signing out
    )
    app.session_interface = _SignedCookies()
    app.before_request(_refuse_foreign_pages)


def cookie_name() -> str:
    return "__Host-orders" if settings.current().is_production else "orders"


def renew(account: User) -> None:
    """Put a new session in place of the one before, of which nothing is kept."""
    session.clear()
    session.update(signed_in(account))
    session.permanent = not account.is_staff


def signed_in(account: User) -> dict[str, int]:
    """What a session that begins now says."""
    moment = int(time.time())
    return {
        "user_id": account.id,
        "version": account.session_version,
        "began_at": moment,
        "seen_at": moment,
    }


def present_user() -> User | None:
    """The user whose session this is; one that has ended is erased."""
    if "user_id" not in session:
        return None
    with at_once() as database:
        account = user.find(database, session["user_id"])
    if account is None or not _goes_on(account):
        session.clear()
        return None
    return account


def _goes_on(account: User) -> bool:
    if session.get("version") != account.session_version:
        return False
    life = _OF_STAFF if account.is_staff else _OF_CUSTOMERS
    moment = int(time.time())
    idle, whole = (timedelta(seconds=moment - session[name]) for name in ("seen_at", "began_at"))
    if idle > _NOTED_EVERY:
        session["seen_at"] = moment
    return idle <= life.idle and whole <= life.whole


def _refuse_foreign_pages() -> None:
    """With a cookie, and wherever one is given, only our own pages may write.

    Webhooks are believed for their signature alone, whatever else comes with them.
    """
    origin = headers.sent("Origin")
    if request.method in _READING or origin is None:
        return
    if request.blueprint == "webhooks" or (not session and request.blueprint != "auth"):
        return
    if not is_ours(origin):
        raise Problem(403, "unauthorized_origin")


def is_ours(origin: str) -> bool:
    """Whether a page of this origin is one of the shop's own."""
    # Not parsed: what a browser sends is "scheme://host", and urlsplit raises for "http://[".
    scheme, _, sender = origin.partition("://")
    chosen = settings.current()
    # Behind a proxy our own scheme may read "http"; what a page's is in production is certain.
    is_safe = scheme == "https" or not chosen.is_production
    return is_safe and sender in (request.host, urlsplit(chosen.public_url).netloc)
