"""Whatever is sent, by whomever, is answered as documented, and never by a 500.

A short form in every run; `make hostile` sends more than 20,000 bodies.
"""

import json
from collections.abc import Mapping

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import shop
from tests.web import hostile
from tests.web.attack import Json, Target, target
from tests.web.tiny import problem

at_any_time = settings(
    deadline=None,
    database=None,
    # The shop changes with each call: what fails is told at once, as nothing could shrink it.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
callers = st.sampled_from(["nobody", "guest", "customer", "manager", "manager in a browser"])
raw = st.sampled_from(hostile.RAW) | st.binary(max_size=30)
values = hostile.anything.map(json.dumps).map(str.encode)


@pytest.fixture
def attacked(app: Flask) -> Target:
    return target(app)


@pytest.fixture
def bodies(attacked: Target) -> list[tuple[str, Json]]:
    """Address and example of each operation that takes a body and hashes no password."""
    return [each for each in attacked.bodies() if not each[0].startswith("POST /auth/")]


def with_bytes(document: Json, data: st.DataObject, inserted: st.SearchStrategy[bytes]) -> bytes:
    """The document as JSON, with some bytes in place of one of its values."""
    place = data.draw(st.sampled_from(list(hostile.places(document))))
    text = json.dumps(hostile.with_value(document, place, "@here@"))
    return text.encode().replace(b'"@here@"', data.draw(inserted))


def send(
    attacked: Target,
    address: str,
    caller: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> None:
    """Send it; the client itself fails if the answer is not documented."""
    method, path = address.split()
    known = {"Content-Type": "application/json", **attacked.callers[caller]}
    answer = attacked.client.open(
        attacked.path(path),
        method=method,
        data=body,
        headers={**known, **(headers or {})},
        query_string={name: text.encode(errors="replace") for name, text in (query or {}).items()},
    )
    assert answer.status_code < 500, answer.text


@at_any_time
@given(data=st.data(), caller=callers)
def test_anything_in_place_of_any_value(
    attacked: Target, bodies: list[tuple[str, Json]], data: st.DataObject, caller: str
) -> None:
    address, example = data.draw(st.sampled_from(bodies))
    send(attacked, address, caller, with_bytes(example, data, values))


@at_any_time
@given(data=st.data(), caller=callers)
def test_what_json_cannot_say_in_place_of_any_value(
    attacked: Target, bodies: list[tuple[str, Json]], data: st.DataObject, caller: str
) -> None:
    address, example = data.draw(st.sampled_from(bodies))
    send(attacked, address, caller, with_bytes(example, data, raw))


@at_any_time
@given(data=st.data(), caller=callers, headers=hostile.headers)
def test_any_headers_and_any_query(
    attacked: Target, data: st.DataObject, caller: str, headers: dict[str, str]
) -> None:
    address = data.draw(st.sampled_from([address for address, _ in attacked.operations()]))
    names = st.sampled_from([*attacked.parameters(address), "x"])
    query = data.draw(st.dictionaries(names, hostile.scalars.map(str), max_size=3))
    send(attacked, address, caller, b"{}", headers=headers, query=query)


@at_any_time
@given(data=st.data())
def test_a_signed_webhook_of_anything(attacked: Target, data: st.DataObject) -> None:
    intent = {"id": "pi_1", "object": "payment_intent", "amount": 1, "metadata": {}}
    body = with_bytes(shop.event_about(intent), data, values | raw)
    send(attacked, "POST /orders/webhook/", "nobody", body, headers=shop.signature(body))


# What this has found


def test_a_signed_event_that_is_nested_too_deeply_is_none(attacked: Target) -> None:
    deep = b"[" * 990 + b"]" * 990
    intent = {"id": "@here@", "object": "payment_intent", "metadata": {}}
    body = json.dumps(shop.event_about(intent)).encode().replace(b'"@here@"', deep)

    answer = attacked.client.post("/orders/webhook/", data=body, headers=shop.signature(body))

    assert problem(answer) == (400, "malformed_event")


@pytest.mark.parametrize("created", [95_709_267_497_467_872, 2**62, -(2**62), 1e300])
def test_a_signed_event_of_a_time_that_no_date_can_hold_is_none(
    attacked: Target, created: float
) -> None:
    event = shop.event_about({"id": "pi_1", "object": "payment_intent", "metadata": {}})
    body = json.dumps({**event, "created": created}).encode()

    answer = attacked.client.post("/orders/webhook/", data=body, headers=shop.signature(body))

    assert problem(answer) == (400, "malformed_event")


@pytest.mark.parametrize("number", [0, 1, 0.0, 1.0, "true", None])
@pytest.mark.parametrize(
    ("path", "body"), [("/auth/logout/", {"everywhere": None}), ("/catalog/", {"is_unique": None})]
)
def test_only_a_boolean_passes_for_one(
    attacked: Target, path: str, body: dict[str, object], number: object
) -> None:
    (name,) = body
    manager = attacked.callers["manager"]

    answer = attacked.client.post(path, json={name: number}, headers=manager)

    pointers = [each["pointer"] for each in answer.get_json()["errors"]]
    assert answer.status_code == 400
    assert f"/{name}" in pointers


def test_a_query_that_breaks_several_rules_is_one_kind_of_problem(attacked: Target) -> None:
    answer = attacked.client.get("/catalog/?q=&starting_after=")

    assert problem(answer) == (400, "invalid_parameter")
    assert {each["parameter"] for each in answer.get_json()["errors"]} == {"q", "starting_after"}


@pytest.mark.parametrize("origin", ["http://[", "https://:x", "null", "", "\xff://localhost.evil"])
def test_an_origin_that_is_none_is_foreign(attacked: Target, origin: str) -> None:
    headers = {**attacked.callers["manager in a browser"], "Origin": origin}

    answer = attacked.client.post("/staff/jobs/1/retry/", json={"why": "x"}, headers=headers)

    assert problem(answer) == (403, "unauthorized_origin")
