"""Signing in and out with a session cookie."""

from typing import Any, ClassVar

from flask import session
from marshmallow import fields

from models import user
from models.session import transaction
from web.api import Blueprint
from web.errors import Problem
from web.fields import Password, SafeStr
from web.outgoing import one_of, text
from web.schemas import EMPTY, Schema, about

blueprint = Blueprint("auth", __name__, url_prefix="/auth", description="Sign in and out.")


class LogIn(Schema):
    example: ClassVar[dict[str, Any]] = {"email": "staff@example.com", "password": "correct horse"}

    email = SafeStr(required=True, max_length=254, metadata=about("Of the account."))
    password = Password(required=True, metadata=about("Of the account."))


class Account(Schema):
    example: ClassVar[dict[str, Any]] = {"email": "staff@example.com", "role": "clerk"}

    email = text("Of the account.")
    role = one_of(("customer", *sorted(user.STAFF_ROLES)), "What the account may do.")


class SignedOut(Schema):
    signed_out = fields.Boolean(required=True, metadata=about("Always true."))


@blueprint.route("/login/", methods=["POST"])
@blueprint.arguments(LogIn())
@blueprint.response(200, Account())
@blueprint.problems("invalid_credentials", "unauthorized_origin")
def log_in(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in; the answer sets a session cookie, new for every sign-in."""
    with transaction() as database:
        account = user.by_email(database, body["email"])
    if not user.fits(account, body["password"]) or account is None:
        raise Problem(401, "invalid_credentials")
    session.clear()
    session["user_id"] = account.id
    return {"email": account.email, "role": account.role}


@blueprint.route("/logout/", methods=["POST"])
@blueprint.arguments(EMPTY)
@blueprint.response(200, SignedOut())
@blueprint.problems("unauthorized_origin")
def log_out(_body: dict[str, Any]) -> dict[str, Any]:
    """Sign out; the session cookie is erased."""
    session.clear()
    return {"signed_out": True}
