"""A function of the database: the whole of a short transaction in one round trip.

It takes one JSON document and the moment, and ignores what it does not know of the document: while
a release is under way, the old and the new code may call it side by side. A change that the old
code could not bear gets a new name. As it was when it was released, it stands in a migration.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import DDL, event
from sqlalchemy.orm import Session

from models.base import Base
from models.session import now, true_now
from models.statement import Statement

NAMES: set[str] = set()
"""Of all of them."""


class Function:
    """`name(given json, moment, true_moment)`, which returns one row of `columns`, or none."""

    def __init__(self, name: str, columns: str, body: str) -> None:
        self.name = name
        NAMES.add(name)
        # The plans of its statements hold for whatever they are given: no need to make them anew.
        self.sql = f"""
CREATE OR REPLACE FUNCTION {name}(given json, moment timestamptz, true_moment timestamptz)
RETURNS TABLE ({columns})
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $function$
{body.strip()}
$function$
"""
        create = DDL(self.sql.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(Base.metadata, "after_create", create)
        self._call = Statement(f"SELECT * FROM {name}(%(given)s::json, {now()}, {true_now()})")  # noqa: S608

    def call(self, session: Session, given: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """What it returns. The session is one `at_once`, so the call is a transaction of its own.

        Texts, numbers, and lists and mappings of them are given as they are, bytes by `as_bytea`.
        """
        return self._call.row(session, {"given": _document(given)})


def _document(given: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(given).decode()
    except orjson.JSONEncodeError:  # a provider may send numbers that are too long for it
        return json.dumps(given, default=str)


def as_bytea(value: bytes | None) -> str | None:
    """Bytes as JSON can have them and PostgreSQL reads them."""
    return None if value is None else f"\\x{value.hex()}"
