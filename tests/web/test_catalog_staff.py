"""Staff change the catalogue over HTTP: who may, what is refused, what is kept of it."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests import shop
from tests.web.tiny import pointers, problem

SignIn = Callable[[str], FlaskClient]
KEY = {"Idempotency-Key": "7f0b1f9e-6a53-4f0e-9d3c-0d9a4c1b7e55"}
ITEM = {
    "sku": "TEA-GREEN",
    "title": "Green tea",
    "unit_price": "4.50",
    "currency": "EUR",
    "stock": 12,
}
ADDRESS = "/catalog/TSHIRT-BLUE/"


@pytest.fixture
def manager(sign_in: SignIn) -> FlaskClient:
    return sign_in("manager")


@pytest.fixture
def clerk(sign_in: SignIn) -> FlaskClient:
    return sign_in("clerk")


def units() -> list[tuple[int, int, str]]:
    return shop.sql("SELECT stock, held, status FROM stock_item")


def test_a_manager_adds_an_item_and_it_is_for_sale(
    manager: FlaskClient, client: FlaskClient
) -> None:
    added = manager.post("/catalog/", json=ITEM)
    assert added.status_code == 201
    shown = {**ITEM, "available": 12, "is_unique": False, "status": "available"}
    assert added.get_json() == {**shown, "held": 0}
    del shown["stock"]
    assert client.get("/catalog/TEA-GREEN/").get_json() == shown
    ((who,),) = shop.sql("SELECT who FROM journal WHERE what = 'stock_item.created'")
    assert who.startswith("staff:")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"sku": "=cmd"}, "/sku", "invalid_field"),
        ({"sku": "A/B"}, "/sku", "invalid_field"),
        ({"sku": "A B"}, "/sku", "invalid_field"),
        ({"sku": "x" * 65}, "/sku", "invalid_field"),
        ({"title": "\x00"}, "/title", "invalid_field"),
        ({"unit_price": "4.505"}, "/unit_price", "invalid_price"),
        ({"unit_price": "-1"}, "/unit_price", "invalid_price"),
        ({"currency": "eur"}, "/currency", "unknown_currency"),
        ({"stock": -1}, "/stock", "invalid_quantity"),
        ({"stock": 10**9 + 1}, "/stock", "invalid_quantity"),
        ({"stock": True}, "/stock", "invalid_quantity"),
        ({"is_unique": True}, "/stock", "invalid_quantity"),
        ({"is_unique": "yes"}, "/is_unique", "invalid_field"),
        ({"status": "sold"}, "/status", "unknown_field"),
    ],
)
def test_an_item_that_cannot_be_is_refused(
    manager: FlaskClient, changes: dict[str, object], pointer: str, code: str
) -> None:
    refused = manager.post("/catalog/", json={**ITEM, **changes})
    assert refused.status_code == 400
    assert pointers(refused) == {pointer: code}
    assert shop.rows()["stock_item"] == 0


def test_a_sku_is_taken_once_and_a_repetition_is_told_from_a_second_item(
    manager: FlaskClient,
) -> None:
    assert manager.post("/catalog/", json=ITEM, headers=KEY).status_code == 201
    again = manager.post("/catalog/", json=ITEM, headers=KEY)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert problem(manager.post("/catalog/", json=ITEM)) == (409, "sku_taken")
    assert shop.rows()["stock_movement"] == 1


def test_title_and_price_are_changed_for_new_orders(
    manager: FlaskClient, client: FlaskClient
) -> None:
    shop.make_item()
    changed = manager.patch(ADDRESS, json={"unit_price": "24.99", "why": "cotton costs more"})
    assert shop.body_of(changed)["unit_price"] == "24.99"
    assert shop.body_of(manager.patch(ADDRESS, json={"title": "Azure"}))["title"] == "Azure"
    refused = client.post("/orders/create/", json=shop.order_body())
    assert problem(refused) == (409, "price_changed")
    assert pointers(manager.patch(ADDRESS, json={"unit_price": "24.995"})) == {
        "/unit_price": "invalid_price"
    }
    why = "SELECT why FROM journal WHERE what LIKE 'stock_item.%' ORDER BY id"
    assert shop.sql(why) == [("created",), ("cotton costs more",), ("changed",)]


def test_pieces_that_come_are_booked_once_for_each_key(clerk: FlaskClient) -> None:
    shop.make_item(units=10)
    body = {"delta": 5, "reason": "delivered"}
    for replayed in (None, "true"):
        booked = clerk.post(f"{ADDRESS}adjust/", json=body, headers=KEY)
        assert (booked.status_code, shop.body_of(booked)["stock"]) == (200, 15)
        assert booked.headers.get("Idempotency-Replayed") == replayed
    other = clerk.post(f"{ADDRESS}adjust/", json={**body, "delta": 6}, headers=KEY)
    assert problem(other) == (422, "idempotency_key_reused")
    bare = clerk.post(f"{ADDRESS}adjust/", json=body)
    assert problem(bare) == (400, "idempotency_key_required")
    assert units() == [(15, 0, "available")]


def test_what_was_counted_needs_no_key(clerk: FlaskClient) -> None:
    shop.make_item(units=10)
    counted = clerk.post(f"{ADDRESS}adjust/", json={"stock": 7, "reason": "counted"})
    assert shop.body_of(counted)["stock"] == 7


def test_no_more_is_taken_off_than_nobody_holds(clerk: FlaskClient, client: FlaskClient) -> None:
    shop.make_item(units=10)
    shop.place(client, quantity=4)
    refused = clerk.post(f"{ADDRESS}adjust/", json={"stock": 3, "reason": "counted"})
    assert problem(refused) == (409, "impossible_stock")
    assert (shop.body_of(refused)["least"], shop.body_of(refused)["most"]) == (4, 10**9)
    assert units() == [(10, 4, "available")]


@pytest.mark.parametrize(
    "body", [{"reason": "x"}, {"delta": 1, "stock": 1, "reason": "x"}, {"delta": 1.5}]
)
def test_an_adjustment_says_one_thing(clerk: FlaskClient, body: dict[str, object]) -> None:
    shop.make_item()
    assert clerk.post(f"{ADDRESS}adjust/", json=body, headers=KEY).status_code == 400


def test_what_is_archived_is_seen_by_staff_alone_until_it_is_sold_again(
    manager: FlaskClient, client: FlaskClient
) -> None:
    shop.make_item()
    archived = manager.post(f"{ADDRESS}archive/", json={"why": "out of fashion"})
    assert shop.body_of(archived)["status"] == "archived"
    assert problem(client.get(ADDRESS)) == problem(manager.get(ADDRESS)) == (404, "not_found")
    assert shop.body_of(manager.get("/catalog/"))["data"] == []
    assert shop.body_of(manager.get(f"/staff{ADDRESS}")) == shop.body_of(archived)
    assert shop.body_of(manager.get("/staff/catalog/?archived=true"))["data"] == [
        shop.body_of(archived)
    ]

    manager.post(f"{ADDRESS}unarchive/", json={"why": "in fashion"})
    assert client.get(ADDRESS).status_code == 200


def test_movements_tell_what_became_of_every_piece(clerk: FlaskClient, client: FlaskClient) -> None:
    shop.make_item(units=10)
    order = shop.place(client, quantity=4)
    clerk.post(f"{ADDRESS}adjust/", json={"stock": 7, "reason": "counted"})

    newest = shop.body_of(clerk.get(f"{ADDRESS}movements/?limit=2"))
    told = [(each["stock_delta"], each["held_delta"], each["reason"]) for each in newest["data"]]
    assert (told, newest["has_more"]) == ([(-3, 0, "adjusted: counted"), (0, 4, "held")], True)
    assert newest["data"][1]["order_id"] == order["id"]
    after = newest["data"][1]["id"]
    rest = shop.body_of(clerk.get(f"{ADDRESS}movements/?starting_after={after}"))
    assert [each["reason"] for each in rest["data"]] == ["created"]
    assert rest["has_more"] is False


def test_only_a_clerk_adjusts_and_only_a_manager_does_the_rest(
    client: FlaskClient, sign_in: SignIn
) -> None:
    shop.make_item()
    calls = {
        ("post", "/catalog/", "manager"): ITEM,
        ("patch", ADDRESS, "manager"): {"title": "Azure"},
        ("post", f"{ADDRESS}archive/", "manager"): {"why": "x"},
        ("post", f"{ADDRESS}unarchive/", "manager"): {"why": "x"},
        ("post", f"{ADDRESS}adjust/", "clerk"): {"stock": 1, "reason": "x"},
    }
    staff = {role: sign_in(role) for role in ("viewer", "clerk", "manager")}
    for (method, address, least), body in calls.items():
        assert problem(getattr(client, method)(address, json=body)) == (404, "not_found")
        for role, caller in staff.items():
            allowed = list(staff).index(role) >= list(staff).index(least)
            status = getattr(caller, method)(address, json=body).status_code
            assert (status in (200, 201)) is allowed, (address, role, status)
    for address in (f"{ADDRESS}movements/", "/staff/catalog/", f"/staff{ADDRESS}"):
        assert problem(client.get(address)) == (404, "not_found")
        assert staff["viewer"].get(address).status_code == 200


@pytest.mark.parametrize("sku", ["NONE", "%00", "x" * 1000])
def test_what_is_not_there_cannot_be_changed(manager: FlaskClient, sku: str) -> None:
    assert problem(manager.patch(f"/catalog/{sku}/", json={})) == (404, "not_found")
    assert problem(manager.get(f"/catalog/{sku}/movements/")) == (404, "not_found")
    assert problem(manager.get(f"/staff/catalog/{sku}/")) == (404, "not_found")
    for verb in ("archive", "unarchive"):
        answer = manager.post(f"/catalog/{sku}/{verb}/", json={"why": "x"})
        assert problem(answer) == (404, "not_found")
    body = {"stock": 1, "reason": "x"}
    assert problem(manager.post(f"/catalog/{sku}/adjust/", json=body)) == (404, "not_found")


def test_staff_see_what_is_held(clerk: FlaskClient, client: FlaskClient) -> None:
    shop.make_item(units=10)
    shop.place(client, quantity=4)
    (seen,) = shop.body_of(clerk.get("/staff/catalog/?available=true"))["data"]
    assert (seen["stock"], seen["held"], seen["available"]) == (10, 4, 6)
    assert "held" not in shop.body_of(clerk.get(ADDRESS))


def test_the_catalogue_is_read_page_by_page_and_filtered(client: FlaskClient) -> None:
    shop.make_item("A", title="Ale", units=0)
    shop.make_item("B", title="Bun")
    shop.make_item("C", title="Cup", units=1, is_unique=True)

    def listed(query: str) -> tuple[list[str], bool]:
        body = shop.body_of(client.get(f"/catalog/{query}"))
        return [each["sku"] for each in body["data"]], body["has_more"]

    assert listed("?limit=2") == (["A", "B"], True)
    assert listed("?limit=2&starting_after=B") == (["C"], False)
    assert listed("?available=true") == (["B", "C"], False)
    assert listed("?is_unique=true&q=cU") == (["C"], False)
    assert problem(client.get("/catalog/?limit=0")) == (400, "invalid_parameter")
