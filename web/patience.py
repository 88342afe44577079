"""How long a client wants to wait: `Prefer` (RFC 7240) on a call, `?wait=` on a look."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import fields, validate

from web import headers, waiting
from web.api import header
from web.schemas import Schema, about

Seen = dict[str, Any]

LONGEST_SECONDS = 30
_RESPOND_ASYNC = re.compile(r"(?:^|,)\s*respond-async\b", re.IGNORECASE)
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,6})\b', re.IGNORECASE)

PREFER_HEADER = header(
    "Prefer",
    f"RFC 7240: `wait=N` waits up to N seconds (at most {LONGEST_SECONDS}) for the answer, "
    "`respond-async` not at all. `Preference-Applied` says what was heeded.",
    "wait=10",
)
LOCATION_HEADER = {
    "Location": {
        "description": "Where to ask again.",
        "schema": {"type": "string", "examples": ["/orders/payments/7/"]},
    },
}
PAUSE_HEADER = {
    "Retry-After": {
        "description": "In how many seconds to ask again: more of them while many are waiting.",
        "schema": {"type": "string", "examples": ["1"]},
    },
}
ASK_AGAIN_HEADERS = {**LOCATION_HEADER, **PAUSE_HEADER}


class Watch(Schema):
    """What a look may ask for: to be answered when something has changed."""

    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0, LONGEST_SECONDS),
        metadata=about(
            "Answer when the status is another than `seen`, or after so many seconds. A busy "
            "server answers at once.",
            10,
        ),
    )
    seen = fields.String(
        load_default=None,
        validate=validate.Regexp(r"^[a-z_]{1,30}$"),
        metadata=about("The status that the client knows; the present one if left out.", "open"),
    )


def preferred(default: float) -> tuple[Mapping[str, str], float]:
    """The header that says which preference was heard, and how many seconds to wait."""
    wishes = headers.sent("Prefer") or ""
    if wait := _WAIT.search(wishes):  # said with respond-async, it limits how long we may take
        seconds = min(int(wait[1]), LONGEST_SECONDS)
        return {"Preference-Applied": f"wait={seconds}"}, seconds
    if _RESPOND_ASYNC.search(wishes):
        return {"Preference-Applied": "respond-async"}, 0
    return {}, default


def watched(
    query: Mapping[str, Any], name: str, look: Callable[[], Seen], status: Callable[[], str]
) -> tuple[Seen, int, Mapping[str, str]]:
    """What there is to see when the row called `name` has another status than the client knows.

    Or, if the client does not want to wait so long or cannot, what there is to see now.
    """
    answer = look()
    seen = query["seen"] or answer["status"]
    if not query["wait"] or seen != answer["status"]:
        return answer, 200, {}
    pause = waiting.room.wait(name, query["wait"], lambda: status() != seen)
    return (answer, 200, {"Retry-After": str(pause)}) if pause else (look(), 200, {})


WATCH = Watch()
