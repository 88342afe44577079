"""Whatever a client sends as an order is either an order or a clear 4xx, never a 500."""

import http.client
import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from tests.web.tiny import pointers, problem, tiny_app
from web.schemas import MAX_ITEMS

ORDER: dict[str, Any] = {
    "guest_email": "guest@example.com",
    "currency": "EUR",
    "items": [
        {
            "product_title": "Blue T-shirt",
            "product_sku": "TSHIRT-BLUE",
            "unit_price": 19.99,
            "quantity": 2,
        }
    ],
    "shipping_address": {
        "line1": "123 Street",
        "city": "Town",
        "postal_code": "12345",
        "country": "IE",
    },
}

CLIENT = tiny_app().test_client()


def order(path: str = "", value: object = None) -> dict[str, Any]:
    """The order, with another value at `path`."""
    changed: Any = deepcopy(ORDER)
    *parents, last = path.split("/")[1:]
    target = changed
    for step in parents:
        target = target[int(step) if isinstance(target, list) else step]
    target[last] = value
    found: dict[str, Any] = changed
    return found


def post(body: object, content_type: str = "application/json") -> TestResponse:
    """Send bytes as they are, anything else as JSON by the book, which knows no largest integer."""
    sent = body if isinstance(body, bytes) else json.dumps(body)
    return CLIENT.post("/orders/create/", data=sent, content_type=content_type)


def test_the_documented_order_is_accepted() -> None:
    response = post(ORDER)

    assert response.status_code == 201
    body = response.get_json()
    assert body["prices"] == ["19.99"]
    assert body["billing_address"] is None
    assert body["shipping_address"]["line2"] is None


# Not JSON


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("application/x-www-form-urlencoded", "not application/x-www-form-urlencoded"),
        ("multipart/form-data; boundary=x", "not multipart/form-data"),
        ("text/plain", "not text/plain"),
        ("application/xml", "not application/xml"),
        ("application/ld+json", "not application/ld+json"),
        ("", "without Content-Type"),
        ("application/json; charset=latin-1", "not latin-1"),
    ],
)
def test_another_media_type_is_refused_kindly(content_type: str, says: str) -> None:
    response = post(ORDER, content_type)

    assert problem(response) == (415, "unsupported_media_type")
    assert says in response.get_json()["detail"]
    assert "Content-Type: application/json" in response.get_json()["hint"]


def test_a_compressed_body_is_refused() -> None:
    response = CLIENT.post("/orders/create/", json=ORDER, headers={"Content-Encoding": "gzip"})

    assert problem(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_utf_8_may_be_said(charset: str) -> None:
    response = post(ORDER, f"application/json; charset={charset}")

    assert response.status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"guest_email=x",
        b'{"currency": "EUR",}',
        b'{"currency": NaN}',
        b'{"currency": Infinity}',
        b'{"currency": 1e400}',
        b'{"currency": "\\ud800"}',
        b'{"currency": "\xff"}',
        b'{"currency": "\x00"}',
        b'\xef\xbb\xbf{"currency": "EUR"}',
        '{"currency": "EUR"}'.encode("utf-16"),
        b"[" * 1500,
        b"[" * 1024 + b"]" * 1024,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"currency": ' + b"9" * 5000 + b"}",
        b'{"currency": "EUR", "currency": "USD"}',
        b'{"items": [{"quantity": 1, "quantity": 2}]}',
    ],
    ids=lambda body: body[:24].decode("latin-1").encode("unicode_escape").decode(),
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    assert problem(post(body)) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"order"', b"1", b"true", b"[" * 99 + b"]" * 99])
def test_a_body_that_is_no_object_is_invalid(body: bytes) -> None:
    response = post(body)

    assert problem(response) == (400, "invalid_body")
    assert pointers(response) == {"": "invalid_body"}


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    refused = post(body)
    assert problem(refused) == (400, "missing_field")
    assert set(pointers(refused)) == {"/currency", "/items", "/shipping_address"}

    started = CLIENT.post("/orders/start-payment/7/", data=body, content_type="application/json")
    assert (started.status_code, started.get_json()["payment_id"]) == (200, 7)


# Too large


@pytest.fixture
def limited() -> Iterator[int]:
    """The port of a real server that takes bodies of at most 2,000 bytes."""
    app = tiny_app()
    app.config["MAX_CONTENT_LENGTH"] = 2000
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("padding", "status"), [(0, 201), (2000, 413)])
def test_a_body_over_the_limit_is_refused_whole_even_without_a_length(
    limited: int, chunked: bool, padding: int, status: int
) -> None:
    body = json.dumps(ORDER).encode() + b" " * padding
    connection = http.client.HTTPConnection("127.0.0.1", limited, timeout=10)
    content = iter([body]) if chunked else body

    connection.request(
        "POST",
        "/orders/create/",
        content,
        {"Content-Type": "application/json"},
        encode_chunked=chunked,
    )
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()

    assert response.status == status
    assert answer.get("code") == (None if status == 201 else "body_too_large")


# Fields


@pytest.mark.parametrize(
    "quantity", [0, -1, 1.5, 1.0, "1", True, False, None, 10**30, 1e30, 1001, [], {}]
)
def test_a_quantity_is_a_whole_number_within_bounds(quantity: object) -> None:
    response = post(order("/items/0/quantity", quantity))

    assert problem(response) == (400, "invalid_quantity")
    assert pointers(response) == {"/items/0/quantity": "invalid_quantity"}


@pytest.mark.parametrize(
    "price",
    [
        -1, -0.01, "-1", "1e2", 1e22, 1e-7, "NaN", "Infinity", "", " 1", "1 ", "1\n", "+1", ".5",
        "5.", "01", "1_000", "1,50", "٣", True, None, [], {}, 10**15, 10**30, "9" * 16,
        12345678901234.56, "19.999", 19.999, 0.1 + 0.2,
    ],
)  # fmt: skip
def test_a_price_is_a_plain_decimal_that_its_currency_can_hold(price: object) -> None:
    response = post(order("/items/0/unit_price", price))

    assert problem(response) == (400, "invalid_price")
    assert pointers(response) == {"/items/0/unit_price": "invalid_price"}


@pytest.mark.parametrize(
    ("currency", "price", "read"),
    [
        ("EUR", 19.99, "19.99"),
        ("EUR", "19.99", "19.99"),
        ("EUR", "0", "0"),
        ("EUR", 20, "20"),
        ("JPY", 500, "500"),
        ("JPY", 500.0, "500.0"),
        ("KWD", "1.234", "1.234"),
        ("EUR", 9999999999999.99, "9999999999999.99"),
    ],
)
def test_a_price_is_read_as_it_was_written(currency: str, price: object, read: str) -> None:
    body = {**order("/items/0/unit_price", price), "currency": currency}

    response = post(body)

    assert response.get_json()["prices"] == [read]


@pytest.mark.parametrize(("currency", "price"), [("JPY", "0.5"), ("KWD", "1.2345")])
def test_a_price_has_no_more_decimals_than_its_currency(currency: str, price: str) -> None:
    body = {**order("/items/0/unit_price", price), "currency": currency}

    assert problem(post(body)) == (400, "invalid_price")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/items", [], "items_empty"),
        ("/items", ORDER["items"] * (MAX_ITEMS + 1), "too_many_items"),
        ("/items", {"0": {}}, "invalid_field"),
        ("/items", "x", "invalid_field"),
        ("/items", None, "invalid_field"),
        ("/discount", 100, "unknown_field"),
        ("/items/0/line_total", 1, "unknown_field"),
        ("/_schema", 1, "unknown_field"),
        ("/shipping_address/planet", "Mars", "unknown_field"),
        ("/shipping_address", None, "invalid_field"),
        ("/shipping_address", "12 Street", "invalid_body"),
        ("/shipping_address/line1", "x\x00y", "invalid_field"),
        ("/shipping_address/line1", "x\ny", "invalid_field"),
        ("/shipping_address/line1", "x\n", "invalid_field"),
        ("/shipping_address/line1", "x\u202ey", "invalid_field"),
        ("/shipping_address/line1", "   ", "invalid_field"),
        ("/shipping_address/line1", "x" * 201, "invalid_field"),
        ("/shipping_address/line1", 5, "invalid_field"),
        ("/shipping_address/country", "ie", "unknown_country"),
        ("/shipping_address/country", "ZZ", "unknown_country"),
        ("/shipping_address/country", "IRL", "unknown_country"),
        ("/shipping_address/country", 1, "unknown_country"),
        ("/items/0/product_sku", "x" * 65, "invalid_field"),
        ("/items/0/product_sku", "SKU\x00", "invalid_field"),
        ("/currency", "eur", "unknown_currency"),
        ("/currency", "XXX", "unknown_currency"),
        ("/currency", "EURO", "unknown_currency"),
        ("/currency", 978, "unknown_currency"),
        ("/guest_email", "guest", "invalid_email"),
        ("/guest_email", "guest@localhost", "invalid_email"),
        ("/guest_email", "ü@example.com", "invalid_email"),
        ("/guest_email", "a@b.de\r\nBcc: x@y.de", "invalid_email"),
        ("/guest_email", "a\x00@b.de", "invalid_email"),
        ("/guest_email", "x" * 250 + "@b.de", "invalid_email"),
        ("/guest_email", 5, "invalid_email"),
    ],
    ids=lambda value: str(value)[:24].encode("unicode_escape").decode(),
)
def test_a_field_that_is_wrong_has_its_code(path: str, value: object, code: str) -> None:
    response = post(order(path, value))

    assert problem(response) == (400, code)
    assert set(pointers(response).values()) == {code}


def test_the_older_apps_order_without_items_is_called_that() -> None:
    body = {"guest_email": "x@x.com", "currency": "EUR", "items": []}

    response = post(body)

    assert problem(response) == (400, "items_empty")
    assert pointers(response) == {"/items": "items_empty", "/shipping_address": "missing_field"}


def test_several_kinds_of_faults_are_an_invalid_body() -> None:
    response = post({**order("/items/0/quantity", 0), "x": 1})

    assert problem(response) == (400, "invalid_body")
    assert pointers(response) == {"/items/0/quantity": "invalid_quantity", "/x": "unknown_field"}


def test_a_flood_of_faults_is_cut_short() -> None:
    response = post({f"x{number}": 1 for number in range(3000)})

    assert problem(response) == (400, "unknown_field")
    assert len(response.get_json()["errors"]) == 50


def test_text_is_stripped_and_composed() -> None:
    response = post(order("/shipping_address/city", " Cafe\u0301 "))

    assert response.get_json()["shipping_address"]["city"] == "Caf\u00e9"


@pytest.mark.parametrize("body", [{"provider": "venmo"}, {"provider": 5}])
def test_a_payment_is_started_with_a_provider_of_ours(body: dict[str, object]) -> None:
    response = CLIENT.post("/orders/start-payment/7/", json=body)

    assert problem(response) == (400, "unknown_provider")


# Anything at all

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: str(Decimal(number)))
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_PATHS = st.sampled_from(
    [
        *(f"/{name}" for name in ORDER),
        *(f"/items/0/{name}" for name in ORDER["items"][0]),
        *(f"/shipping_address/{name}" for name in ORDER["shipping_address"]),
        "/billing_address",
        "/extra",
    ]
)


def _accepted_or_refused(body: object) -> None:
    response = post(body)
    if response.status_code != 201:
        status, _ = problem(response)
        assert 400 <= status < 500


@hypothesis_settings(max_examples=150, deadline=None)
@given(body=_JSON)
def test_any_json_is_accepted_or_refused(body: object) -> None:
    _accepted_or_refused(body)


@hypothesis_settings(max_examples=250, deadline=None)
@given(path=_PATHS, value=_JSON)
def test_any_json_in_any_place_is_accepted_or_refused(path: str, value: object) -> None:
    _accepted_or_refused(order(path, value))


@hypothesis_settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    status, _ = problem(post(body))
    assert status == 400
