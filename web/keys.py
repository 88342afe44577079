"""API keys of whoever is signed in: made, listed, revoked. A key itself can do none of it."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from models import api_key
from models.api_key import ApiKey
from models.session import transaction
from models.user import User
from web import callers
from web.api import Blueprint
from web.errors import Problem
from web.fields import Nested, SafeStr, StrictInt
from web.outgoing import moment, number, text
from web.schemas import Schema, about

blueprint = Blueprint("keys", __name__, url_prefix="/auth/keys", description="API keys.")

_EXAMPLE = {
    "id": 3,
    "name": "till in the harbour shop",
    "prefix": "ok_5f0c9be4a1d7",
    "scopes": ["orders:read", "orders:write"],
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2027-11-22T10:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}


class NewKey(Schema):
    example: ClassVar[dict[str, Any]] = {
        "name": "till in the harbour shop",
        "scopes": ["orders:read", "orders:write"],
        "expires_in_days": 365,
    }

    name = SafeStr(required=True, max_length=100, metadata=about("To know it by.", "till"))
    scopes = fields.List(
        fields.String(
            validate=validate.OneOf(api_key.SCOPES, error="invalid_field: Is no scope."),
        ),
        required=True,
        validate=validate.Length(1, len(api_key.SCOPES)),
        metadata=about("What it is good for; a customer's for orders alone."),
    )
    expires_in_days = StrictInt(
        minimum=1,
        maximum=api_key.LONGEST_DAYS,
        code="invalid_field",
        load_default=api_key.LONGEST_DAYS - 1,
        metadata=about("When it ends by itself.", 365),
    )


class Key(Schema):
    example: ClassVar[dict[str, Any]] = _EXAMPLE

    id = number("In addresses.", 3)
    name = text("To know it by.")
    prefix = text("How it begins.")
    scopes = fields.List(
        fields.String(validate=validate.OneOf(api_key.SCOPES)),
        required=True,
        metadata=about("What it is good for."),
    )
    created_at = moment("When it was made.")
    expires_at = moment("When it ends by itself.", allow_none=True)
    last_used_at = moment("To the minute.", allow_none=True)
    revoked_at = moment("Since when it opens nothing.", allow_none=True)


class KeyMade(Key):
    example: ClassVar[dict[str, Any]] = {
        **_EXAMPLE,
        "key": "ok_5f0c9be4a1d7_gqsxGZNYLSd2E1vOHfzkGfMI7eCZOVvX0Xn4t8CSCRg",
    }

    key = text("The whole of it. It is shown this once and is not kept.")


class KeyList(Schema):
    data = fields.List(Nested(Key), required=True, metadata=about("Newest first."))


@blueprint.route("/", methods=["POST"])
@blueprint.allows("in_person")
@blueprint.arguments(NewKey())
@blueprint.response(201, KeyMade())
@blueprint.problems("scope_not_allowed", "too_many_keys", "unauthorized_origin")
def create(body: dict[str, Any]) -> dict[str, Any]:
    """Make a key that acts as its maker. The answer alone shows it whole."""
    who = callers.present().name
    days = body.pop("expires_in_days")
    try:
        with transaction() as session:
            key, whole = api_key.create(session, _owner(), **body, days=days, who=who)
            return {**{name: getattr(key, name) for name in Key().fields}, "key": whole}
    except api_key.ScopeNotAllowedError as error:
        raise Problem(422, "scope_not_allowed", scopes=error.scopes) from None
    except api_key.TooManyKeysError:
        raise Problem(409, "too_many_keys") from None


@blueprint.route("/")
@blueprint.allows("in_person")
@blueprint.response(200, KeyList())
def index() -> dict[str, Any]:
    """The keys of whoever is signed in, newest first."""
    with transaction() as session:
        return {"data": api_key.of_user(session, _owner().id)}


@blueprint.route("/<int:key_id>/", methods=["DELETE"])
@blueprint.allows("in_person")
@blueprint.response(200, Key())
@blueprint.problems("not_found", "unauthorized_origin")
def revoke(key_id: int) -> ApiKey:
    """Have a key open nothing from now on."""
    with transaction() as session:
        key = session.get(ApiKey, key_id)
        if key is None or key.user_id != _owner().id:
            raise Problem(404, "not_found")
        api_key.revoke(session, key, who=callers.present().name)
        return key


def _owner() -> User:
    owner = callers.present().user
    if owner is None:
        raise LookupError("nobody is signed in")
    return owner
