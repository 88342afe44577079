"""Accounts: signing up, in and out, and changing the password."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from flask import session
from marshmallow import fields, validate

from models import user
from models.session import transaction
from web import callers, limits, parsing, sessions
from web.api import Blueprint
from web.errors import Problem
from web.fields import EmailAddress, Password, SafeStr, StrictBool
from web.outgoing import one_of, text
from web.schemas import Schema, about

_HASHING = threading.BoundedSemaphore(4)  # each hash takes 64 MB and a tenth of a second
_HASHING_PATIENCE_SECONDS = 2.0

blueprint = Blueprint("auth", __name__, url_prefix="/auth", description="Accounts and sessions.")


class LogIn(Schema):
    example: ClassVar[dict[str, Any]] = {"email": "staff@example.com", "password": "correct horse"}

    email = SafeStr(required=True, max_length=254, metadata=about("Of the account."))
    password = Password(required=True, metadata=about("Of the account."))


class SignUp(Schema):
    example: ClassVar[dict[str, Any]] = {
        "email": "ann@example.com",
        "password": "correct horse battery staple",
    }

    email = EmailAddress(required=True, metadata=about("To sign in with."))
    password = Password(
        required=True,
        metadata=about(
            f"At least {user.LEAST_PASSWORD} characters; none of those that everybody tries first."
        ),
    )


class ChangePassword(Schema):
    example: ClassVar[dict[str, Any]] = {
        "password": "correct horse battery staple",
        "new_password": "seven small boats at dawn",
    }

    password = Password(required=True, metadata=about("The one that is to go."))
    new_password = Password(required=True, metadata=about("The one that is to come."))


class LogOut(Schema):
    everywhere = StrictBool(
        load_default=False, metadata=about("End the account's sessions on all devices.")
    )


class Account(Schema):
    example: ClassVar[dict[str, Any]] = {"email": "staff@example.com", "role": "clerk"}

    email = text("Of the account.")
    role = one_of(user.ROLES, "What the account may do.")


class SignedUp(Schema):
    accepted = fields.Boolean(
        required=True,
        validate=validate.Equal(True),
        metadata=about("Always true, whether or not the address had an account."),
    )


class SignedOut(Schema):
    signed_out = fields.Boolean(required=True, metadata=about("Always true."))


@blueprint.route("/sign-up/", methods=["POST"])
@blueprint.allows("everyone")
@blueprint.limited(lambda chosen: chosen.limit_sign_ups_per_minute)
@blueprint.arguments(SignUp())
@blueprint.response(202, SignedUp())
@blueprint.problems("invalid_email", "weak_password", "unauthorized_origin")
def sign_up(body: dict[str, str]) -> dict[str, bool]:
    """Open an account for a customer, to sign in with.

    The answer is the same if the address has an account already, which stays as it is.
    """
    password_hash = _hashed(body["email"], body["password"], field="password")
    with transaction() as database:
        user.sign_up(database, email=body["email"], password_hash=password_hash)
    return {"accepted": True}


@blueprint.route("/login/", methods=["POST"])
@blueprint.allows("everyone")
@blueprint.arguments(LogIn())
@blueprint.response(200, Account())
@blueprint.problems("invalid_credentials", "too_many_requests", "unauthorized_origin")
def log_in(body: dict[str, str]) -> user.User:
    """Sign in; the answer sets a session cookie, new for every sign-in.

    After some wrong passwords each further one costs a longer wait, five minutes at most.
    """
    account = known(body["email"], body["password"])
    sessions.renew(account)
    return account


@blueprint.route("/logout/", methods=["POST"])
@blueprint.allows("everyone")
@blueprint.arguments(LogOut())
@blueprint.response(200, SignedOut())
@blueprint.problems("unauthorized_origin")
def log_out(body: dict[str, bool]) -> dict[str, bool]:
    """Sign out here, or everywhere; the session cookie is erased."""
    account = sessions.present_user()
    if account is not None and body["everywhere"]:
        with transaction() as database:
            locked = user.lock(database, account.email)
            who = f"user:{account.id}"
            user.end_sessions(database, locked, who=who, why="signed out everywhere")
    session.clear()
    return {"signed_out": True}


@blueprint.route("/me/")
@blueprint.allows("signed_in")
@blueprint.response(200, Account())
def me() -> user.User | None:
    """Who is signed in, or whose API key this is."""
    return callers.present().user


@blueprint.route("/password/", methods=["POST"])
@blueprint.allows("in_person")
@blueprint.arguments(ChangePassword())
@blueprint.response(200, Account())
@blueprint.problems(
    "weak_password", "invalid_credentials", "too_many_requests", "unauthorized_origin"
)
def change_password(body: dict[str, str]) -> user.User:
    """Change the password; all other sessions of the account end."""
    who = callers.present()
    email = who.user.email if who.user else ""
    known(email, body["password"])
    password_hash = _hashed(email, body["new_password"], field="new_password")
    with transaction() as database:
        account = user.lock(database, email)
        user.change_password(database, account, password_hash, who=who.name)
    sessions.renew(account)
    return account


def known(email: str, password: str) -> user.User:
    """The user who has this password, or `invalid_credentials`; tries are counted."""
    tries = limits.check_tries(email)
    with transaction() as database:
        account = user.by_email(database, email)
    with _hashing():
        is_right = user.fits(account, password)
    if account is None or not is_right:
        raise Problem(401, "invalid_credentials")
    limits.counts().forgive(tries)
    return account


def _hashed(email: str, password: str, *, field: str) -> str:
    try:
        with _hashing():
            return user.hashed(email, password)
    except user.WeakPasswordError as error:
        raise parsing.invalid({field: [f"weak_password: {error}."]}) from None


@contextmanager
def _hashing() -> Iterator[None]:
    """Leave memory and cores for those who buy, however many try passwords."""
    if not _HASHING.acquire(timeout=_HASHING_PATIENCE_SECONDS):
        raise Problem(503, "busy", headers={"Retry-After": "1"})
    try:
        yield
    finally:
        _HASHING.release()
