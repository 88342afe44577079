"""Sessions: a signed cookie says who signed in and when; here is known what ends it."""

import time
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask, request, session

import settings
from models import user
from models.session import transaction
from models.user import User
from web.errors import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTED_EVERY = timedelta(minutes=1)


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
    with transaction() as database:
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
    origin = request.headers.get("Origin")
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
