"""How objects are shown: lists, search results, expanded fields, and what a browser may see."""

import json
import re

from sandbox.provider.store import NEWEST
from sandbox.stripe.call import Call
from sandbox.stripe.errors import Document, ParameterError, StripeError

EXPANDABLE = {
    "charge": {"payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_intent": {"latest_charge": "charge"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
}
BROWSER_SEES = [
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "status",
]
FILTERS = ("charge", "payment_intent", "type")
CLAUSE = re.compile(
    r"(?P<not>-?)(?:metadata\[(?P<q>['\"])(?P<key>.*?)(?P=q)\]|(?P<field>\w+))"
    r"(?P<operator>:|>=|<=|>|<)"
    r"(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\"|(?P<number>\d+)|(?P<null>null))"
)
SEARCHABLE = {"amount": int, "created": int, "currency": str, "customer": str, "status": str}


def for_browser(intent: Document) -> Document:
    """Return an intent as a publishable key sees it: no metadata, nothing of the merchant's."""
    return {name: intent[name] for name in BROWSER_SEES}


def page(call: Call, kind: str, url: str, params: Document) -> Document:
    """Return one page of a list, newest first."""
    after, before, ascending = 0, NEWEST, "ending_before" in params
    if "starting_after" in params:
        before = call.store.position(kind, params["starting_after"], "starting_after")
    if ascending:
        after = call.store.position(kind, params["ending_before"], "ending_before")
    since, until = _bounds(params.get("created", {}))
    limit = params.get("limit", 10)
    found = call.store.newest(
        kind,
        where=_filters(params),
        since=since,
        until=until,
        after=after,
        before=before,
        limit=limit + 1,
        ascending=ascending,
    )
    data = found[:limit][::-1] if ascending else found[:limit]
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def _filters(params: Document) -> dict[str, list[object]]:
    where = {name: [params[name]] for name in params if name in FILTERS}
    if "types" in params:
        where["type"] = params["types"]
    if "delivery_success" in params:
        where["pending_webhooks"] = [0 if params["delivery_success"] else 1]
    return where


def _bounds(created: Document) -> tuple[int, int]:
    since = max(created.get("gte", 0), created.get("gt", -1) + 1)
    until = min(created.get("lte", NEWEST), created.get("lt", NEWEST + 1) - 1)
    return since, until


def search(call: Call, params: Document) -> Document:
    """Return the intents that a query finds; new ones are found only after the search lag."""
    clauses, every = _clauses(params.get("query") or "")
    lag = call.store.configuration()["search_lag_seconds"]
    limit, skip = params.get("limit", 10), params.get("page", 0)
    wanted = all if every else any
    candidates = call.store.newest(
        "payment_intent", until=call.now - lag, mentioning=_certain_text(clauses) if every else ""
    )
    found = [
        intent for intent in candidates if wanted(_holds(clause, intent) for clause in clauses)
    ]
    has_more = len(found) > skip + limit
    return {
        "object": "search_result",
        "data": found[skip : skip + limit],
        "has_more": has_more,
        "next_page": str(skip + limit) if has_more else None,
        "url": "/v1/payment_intents/search",
    }


def _clauses(query: str) -> tuple[list[re.Match[str]], bool]:
    joints = set(re.findall(r"\s(AND|OR)\s", query))
    matches = [CLAUSE.fullmatch(part.strip()) for part in re.split(r"\s(?:AND|OR)\s", query)]
    clauses = [
        match for match in matches if match and (match["key"] or match["field"] in SEARCHABLE)
    ]
    if len(clauses) < len(matches) or len(joints) > 1:
        raise StripeError(f"We were unable to parse the search query: {query}", param="query")
    return clauses, "OR" not in joints


def _certain_text(clauses: list[re.Match[str]]) -> str:
    """Some text that is in every intent with all of these, so that SQL can leave out the rest."""
    texts = [clause["one"] or clause["two"] for clause in clauses if not clause["not"]]
    return next((json.dumps(text) for text in texts if text), "")


def _holds(clause: re.Match[str], intent: Document) -> bool:
    text = clause["one"] or clause["two"] or clause["number"]
    if clause["key"]:
        present, wanted = intent["metadata"].get(clause["key"]), text
    else:
        convert = SEARCHABLE[clause["field"]]
        present, wanted = intent[clause["field"]], text and convert(text)
    return _compare(clause["operator"], present, wanted) != bool(clause["not"])


def _compare(operator: str, present: object, wanted: object) -> bool:
    if isinstance(present, int) and isinstance(wanted, int):
        comparisons = {">": present > wanted, ">=": present >= wanted}
        comparisons |= {"<": present < wanted, "<=": present <= wanted}
        return comparisons.get(operator, present == wanted)
    return operator == ":" and present == wanted


def expand(call: Call, body: Document, paths: list[str]) -> Document:
    """Put whole objects where these paths, `data.` before them in a list, hold ids."""
    for path in paths:
        _expand(call, body, path.split("."), path)
    return body


def _expand(call: Call, body: Document, names: list[str], path: str) -> None:
    if not names:
        return
    name, *rest = names
    if body["object"] in ("list", "search_result") and name == "data":
        for item in body["data"]:
            _expand(call, item, rest, path)
        return
    kinds = EXPANDABLE.get(body["object"], {})
    if name not in kinds:
        raise ParameterError("expand", f"This property cannot be expanded ({path}).")
    if isinstance(body[name], str):
        body[name] = call.store.get(kinds[name], body[name])
    if isinstance(body[name], dict):
        _expand(call, body[name], rest, path)
