"""A schema that reads quickly reads what marshmallow reads, and nothing else."""

from copy import deepcopy
from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from tests.web.hostile import anything, places, with_value
from tests.web.test_schemas import ORDER
from web.schemas import ORDER_CREATE

WHOLE: dict[str, Any] = {
    **ORDER,
    "items": [*ORDER["items"], {**ORDER["items"][0], "unit_price": "5", "quantity": 1000}],
    "billing_address": {
        **ORDER["shipping_address"],
        "name": "  Ada\u0301 ",
        "line2": "",
        "region": "Munster",
        "phone": None,
    },
}
"""An order that says all that can be said."""

near_right: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        " ",
        "EUR",
        "JPY",
        "IE",
        "19.99",
        "19.999",
        19,
        0,
        1,
        True,
        "a@b.ie",
        [],
        {},
        "x" * 201,
    ]
)


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """An order with a few other values in it, with a name too many or too few."""
    body: Any = deepcopy(WHOLE)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(places(body))))
        body = with_value(body, place, draw(near_right | anything))
    if isinstance(body, dict) and body and draw(st.booleans()):
        body.pop(draw(st.sampled_from(sorted(body))))
    return body


def _read(load: Any, body: Any) -> Any:
    try:
        return load(body)
    except ValidationError as error:
        return error.messages


@given(bodies())
@hypothesis_settings(max_examples=500, deadline=None)
def test_a_body_is_read_or_refused_as_marshmallow_does(body: Any) -> None:
    slow = _read(lambda given: marshmallow.Schema.load(ORDER_CREATE, given), body)

    assert _read(ORDER_CREATE.load, body) == slow


@pytest.mark.parametrize("body", [ORDER, WHOLE])
def test_what_is_right_is_read_without_marshmallow(
    body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = marshmallow.Schema.load(ORDER_CREATE, body)
    monkeypatch.delattr(marshmallow.Schema, "_do_load")

    assert ORDER_CREATE.load(body) == expected
    with pytest.raises(AttributeError):
        ORDER_CREATE.load({**body, "note": "?"})
