"""Lists by pages: newest first, each page beginning after the last one that was seen."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from web.schemas import Schema, about

BIGINT = validate.Range(1, 2**63 - 1)


class Limit(Schema):
    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 100),
        metadata=about("So many at most.", 20),
    )


class Page(Limit):
    starting_after = fields.Integer(
        load_default=None,
        validate=BIGINT,
        metadata=about("The id of the last one that was seen: the page begins after it."),
    )


def page(found: Sequence[Any], limit: int) -> dict[str, Any]:
    """The first `limit` of what was found, which is one more if there are more."""
    return {"data": found[:limit], "has_more": len(found) > limit}
