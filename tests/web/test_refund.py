"""Refunds over HTTP: who may, what is given back, how often, and what stays as it was."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import looking
from models.payment import Payment
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sent_payment, tell
from tests.web.tiny import pointers, problem

SignIn = Callable[[str], FlaskClient]
KEY = {"Idempotency-Key": "7f0b1f9e-6a53-4f0e-9d3c-0d9a4c1b7e55"}


class Paid:
    """A guest's order of two T-shirts and a vase, 164.98 EUR, paid at the provider."""

    def __init__(self, client: FlaskClient, sandbox: StripeProcess, card: str) -> None:
        shop.make_item(units=10)
        shop.make_item("VASE", 1, is_unique=True, unit_price_minor=12500)
        items = [shop.line(), shop.line("VASE", 1, unit_price="125.00")]
        self.client, self.sandbox = client, sandbox
        self.order = shop.place(client, items=items)
        payment = shop.open_payment(client, self.order)
        shop.pay(sandbox, payment["client_secret"], card)
        self.intent_id = payment["client_secret"].partition("_secret_")[0]
        self.deliver("payment_intent.succeeded")
        self.payment_id: int = payment["payment_id"]
        assert self.look()["status"] == "paid"

    def deliver(self, type_: str) -> None:
        event = shop.events_of(self.sandbox, f"{self.intent_id}_secret_")[type_]
        assert shop.deliver(self.client, event).status_code == 200
        drain()

    def look(self) -> dict[str, Any]:
        return shop.look(self.client, self.order)

    def given_back(self) -> list[int]:
        """What the provider has given back, in minor units."""
        ledger = self.sandbox.ledger()["refunds"]
        return [each["amount"] for each in ledger if each["payment_intent"] == self.intent_id]


@pytest.fixture
def paid(client: FlaskClient, stripe_sandbox: StripeProcess) -> Paid:
    return Paid(client, stripe_sandbox, "pm_card_visa")


@pytest.fixture
def clerk(sign_in: SignIn) -> FlaskClient:
    return sign_in("clerk")


def ask(
    browser: FlaskClient, payment_id: int, headers: dict[str, str] | None = None, **body: Any
) -> TestResponse:
    return browser.post(f"/orders/refund/{payment_id}/", json=body, headers=headers or {})


def requested() -> list[tuple[int, str]]:
    """Amount and state of every refund."""
    return shop.sql("SELECT amount_minor, state FROM refund ORDER BY id")


def dispute(paid: Paid, state: str = "open", is_refundable: bool = False) -> None:
    """Have the customer's bank dispute the payment."""
    shop.sql(
        "INSERT INTO dispute (payment_id, order_id, provider, provider_dispute_id, state, status,"
        " reason, amount_minor, currency, is_refundable, due_by, opened_at, created_at)"
        " SELECT id, order_id, provider, 'dp_1', :state, 'needs_response', 'fraudulent',"
        " amount_minor, currency, :is_refundable, '2027-01-01Z', clock_timestamp(),"
        " clock_timestamp() FROM payment WHERE id = :payment_id RETURNING id",
        state=state,
        is_refundable=is_refundable,
        payment_id=paid.payment_id,
    )
    shop.sql("UPDATE orders SET disputed = true RETURNING id")


# --- what is given back ---


def test_all_of_a_payment_goes_back_and_its_owner_can_follow(
    paid: Paid, clerk: FlaskClient
) -> None:
    answer = ask(clerk, paid.payment_id)
    assert answer.status_code == 202, answer.text
    asked = shop.body_of(answer)
    assert (asked["amount"], asked["status"]) == ("164.98", "requested")
    address = answer.headers["Location"]
    assert address == f"/orders/refunds/{asked['refund_id']}/"

    drain()

    assert paid.given_back() == [16498]
    seen = shop.body_of(paid.client.get(address, headers=shop.bearer(paid.order)))
    assert seen == {
        "refund_id": asked["refund_id"],
        "payment_id": paid.payment_id,
        "status": "succeeded",
        "amount": "164.98",
        "currency": "EUR",
        "created_at": asked["created_at"],
    }
    order = paid.look()
    assert (order["status"], order["refunded"], order["refunds"]) == ("refunded", "164.98", [seen])
    assert [each["refunded"] for each in order["payments"]] == ["164.98"]
    ((named, at),) = shop.sql("SELECT provider_refund_id, refunded_at FROM payment")
    assert named.startswith("re_")
    assert at is not None


def test_a_part_goes_back_with_reason_note_and_goods(paid: Paid, clerk: FlaskClient) -> None:
    back = [{"product_sku": "TSHIRT-BLUE", "quantity": 1}]
    answer = ask(
        clerk,
        paid.payment_id,
        KEY,
        amount="19.99",
        reason="requested_by_customer",
        note="Too small, says Jo.",
        restock=back,
    )
    assert answer.status_code == 202, answer.text
    drain()

    seen = shop.body_of(clerk.get(answer.headers["Location"]))
    assert seen["provider_refund_id"].startswith("re_")
    ((user_id,),) = shop.sql("SELECT id FROM user_account")
    expected = {
        "status": "succeeded",
        "amount": "19.99",
        "reason": "requested_by_customer",
        "restock": back,
        "origin": "staff",
        "requested_by": f"staff:{user_id}",
        "failure": None,
        "order_id": paid.order["id"],
    }
    assert {name: seen[name] for name in expected} == expected
    assert paid.look()["status"] == "partially_refunded"
    assert shop.sql("SELECT stock FROM stock_item ORDER BY id") == [(9,), (0,)]
    journal = "SELECT who, why FROM journal WHERE what = 'refund.requested'"
    assert shop.sql(journal) == [(f"staff:{user_id}", "Too small, says Jo.")]


def test_all_goods_that_can_go_on_sale_again(paid: Paid, clerk: FlaskClient) -> None:
    assert ask(clerk, paid.payment_id, restock=True).status_code == 202
    drain()
    stock = "SELECT stock, held, status FROM stock_item ORDER BY id"
    assert shop.sql(stock) == [(10, 0, "available"), (1, 0, "available")]


@pytest.mark.parametrize("body", [{}, {"restock": False}])
def test_unless_staff_say_so_no_goods_come_back(
    paid: Paid, clerk: FlaskClient, body: dict[str, Any]
) -> None:
    assert ask(clerk, paid.payment_id, **body).status_code == 202
    drain()
    assert shop.sql("SELECT stock FROM stock_item ORDER BY id") == [(8,), (0,)]


def test_what_is_over_already_is_a_200(paid: Paid, clerk: FlaskClient) -> None:
    first = shop.body_of(ask(clerk, paid.payment_id))
    drain()
    again = ask(clerk, paid.payment_id, restock=[{"product_sku": "VASE", "quantity": 1}])
    assert again.status_code == 200
    assert shop.body_of(again)["refund_id"] == first["refund_id"]
    assert shop.body_of(again)["status"] == "succeeded"
    assert shop.body_of(again)["restock"] == []
    assert paid.given_back() == [16498]


# --- once ---


def test_clicking_twice_gives_back_once(paid: Paid, clerk: FlaskClient) -> None:
    answers = shop.at_once(lambda _: shop.patiently(lambda: ask(clerk, paid.payment_id)), 4)
    assert {answer.status_code for answer in answers} == {202}
    assert len({shop.body_of(answer)["refund_id"] for answer in answers}) == 1
    drain()
    assert paid.given_back() == [16498]


def test_a_key_makes_one_refund_of_an_amount_and_another_key_another(
    paid: Paid, clerk: FlaskClient
) -> None:
    first, again = (ask(clerk, paid.payment_id, KEY, amount="10") for _ in range(2))
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.body_of(again) == shop.body_of(first)

    drain()
    replayed = ask(clerk, paid.payment_id, KEY, amount="10")
    assert (replayed.status_code, shop.body_of(replayed)["status"]) == (200, "succeeded")
    assert ask(clerk, paid.payment_id, {"Idempotency-Key": "b"}, amount="10").status_code == 202
    drain()
    assert paid.given_back() == [1000, 1000]


def test_a_key_is_for_one_body_one_payment_and_one_person(
    paid: Paid, clerk: FlaskClient, sign_in: SignIn
) -> None:
    assert ask(clerk, paid.payment_id, KEY, amount="10").status_code == 202
    other = ask(clerk, paid.payment_id, KEY, amount="11")
    assert problem(other) == (422, "idempotency_key_reused")
    malformed = ask(clerk, paid.payment_id, {"Idempotency-Key": "ä"}, amount="11")
    assert problem(malformed) == (400, "idempotency_key_invalid")
    assert ask(sign_in("manager"), paid.payment_id, KEY, amount="11").status_code == 202
    assert requested() == [(1000, "requested"), (1100, "requested")]


def test_an_amount_needs_a_key(paid: Paid, clerk: FlaskClient) -> None:
    answer = ask(clerk, paid.payment_id, amount="10")
    assert problem(answer) == (400, "idempotency_key_required")
    assert requested() == []


def test_a_key_may_come_without_an_amount(paid: Paid, clerk: FlaskClient) -> None:
    first, again = (ask(clerk, paid.payment_id, KEY) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.body_of(first)["refund_id"] == shop.body_of(again)["refund_id"]
    unkeyed = shop.body_of(ask(clerk, paid.payment_id))
    assert unkeyed["refund_id"] == shop.body_of(first)["refund_id"]


def test_a_refusal_does_not_use_up_its_key(paid: Paid, clerk: FlaskClient) -> None:
    assert problem(ask(clerk, paid.payment_id, KEY, amount="900"))[1] == "refund_too_large"
    assert ask(clerk, paid.payment_id, KEY, amount="9").status_code == 202


def test_two_who_give_back_60_percent_at_once_never_give_back_more_than_there_is(
    paid: Paid, sign_in: SignIn
) -> None:
    clerks = [sign_in("clerk") for _ in range(2)]

    def give_back(number: int) -> TestResponse:
        body = {"amount": "98.99"}
        return shop.patiently(lambda: ask(clerks[number], paid.payment_id, KEY, **body))

    answers = shop.at_once(give_back, 2)
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    (refused,) = (shop.body_of(each) for each in answers if each.status_code == 409)
    assert (refused["code"], refused["refundable"]) == ("refund_too_large", "65.99")
    drain()
    assert paid.given_back() == [9899]


# --- what is refused, and changes nothing ---


@pytest.fixture
def unchanged() -> Any:
    """At the end, what there was before it was asked for and nothing else."""
    counted: list[dict[str, int]] = []
    yield lambda: counted.append(shop.rows())
    assert [shop.rows()] == counted


def test_more_than_is_left_is_refused_with_what_is_left(
    paid: Paid, clerk: FlaskClient, unchanged: Callable[[], None]
) -> None:
    ask(clerk, paid.payment_id, KEY, amount="100")
    unchanged()
    answer = ask(clerk, paid.payment_id, {"Idempotency-Key": "b"}, amount="64.99")
    assert problem(answer) == (409, "refund_too_large")
    assert shop.body_of(answer)["refundable"] == "64.98"
    assert shop.body_of(answer)["currency"] == "EUR"


def test_what_is_given_back_in_parts_already_is_not_refundable(
    paid: Paid, clerk: FlaskClient, unchanged: Callable[[], None]
) -> None:
    ask(clerk, paid.payment_id, KEY, amount="164.98")
    unchanged()
    assert problem(ask(clerk, paid.payment_id)) == (409, "not_refundable")
    more = ask(clerk, paid.payment_id, {"Idempotency-Key": "b"}, amount="0.01")
    assert problem(more) == (409, "not_refundable")


def test_a_payment_that_brought_nothing_has_nothing_to_give_back(
    client: FlaskClient, clerk: FlaskClient, unchanged: Callable[[], None]
) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    unchanged()
    back = [{"product_sku": "TSHIRT-BLUE", "quantity": 1}]
    assert problem(ask(clerk, payment_id)) == (409, "not_refundable")
    assert problem(ask(clerk, payment_id, KEY, amount="1")) == (409, "not_refundable")
    assert problem(ask(clerk, payment_id, restock=back)) == (409, "not_refundable")


@pytest.mark.parametrize(
    ("state", "is_refundable", "code"),
    [("open", False, 409), ("lost", False, 409), ("open", True, 202), ("won", False, 202)],
)
def test_a_dispute_blocks_what_could_pay_twice(
    paid: Paid, clerk: FlaskClient, state: str, is_refundable: bool, code: int
) -> None:
    dispute(paid, state, is_refundable)
    answer = ask(clerk, paid.payment_id)
    assert answer.status_code == code
    if code == 409:
        assert problem(answer) == (409, "refund_blocked")
        assert requested() == []
    shop.sql("DELETE FROM dispute RETURNING id")
    shop.sql("UPDATE orders SET disputed = false RETURNING id")


@pytest.mark.parametrize(
    ("lines", "returnable"),
    [
        ([("TSHIRT-BLUE", 3)], {"TSHIRT-BLUE": 2}),
        ([("TSHIRT-BLUE", 1), ("TSHIRT-BLUE", 2)], {"TSHIRT-BLUE": 2}),
        ([("TSHIRT-BLUE", 1), ("NOT-THEIRS", 1)], {"NOT-THEIRS": 0}),
    ],
)
def test_goods_that_the_order_has_not_taken_cannot_come_back(
    paid: Paid,
    clerk: FlaskClient,
    unchanged: Callable[[], None],
    lines: list[tuple[str, int]],
    returnable: dict[str, int],
) -> None:
    unchanged()
    back = [{"product_sku": sku, "quantity": units} for sku, units in lines]
    answer = ask(clerk, paid.payment_id, restock=back)
    assert problem(answer) == (422, "restock_impossible")
    assert shop.body_of(answer)["returnable"] == returnable


def test_goods_that_another_refund_brings_back_are_not_promised_again(
    paid: Paid, clerk: FlaskClient
) -> None:
    back = [{"product_sku": "VASE", "quantity": 1}]
    assert ask(clerk, paid.payment_id, KEY, amount="1", restock=back).status_code == 202
    again = ask(clerk, paid.payment_id, {"Idempotency-Key": "b"}, amount="1", restock=back)
    assert problem(again) == (422, "restock_impossible")
    drain()
    last = ask(clerk, paid.payment_id, {"Idempotency-Key": "b"}, amount="1", restock=back)
    assert problem(last) == (422, "restock_impossible")
    assert shop.sql("SELECT stock FROM stock_item ORDER BY id") == [(8,), (1,)]


NONSENSE: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"amount": "0"}, {"/amount": "invalid_price"}),
    ({"amount": "0.001"}, {"/amount": "invalid_price"}),
    ({"amount": "-1"}, {"/amount": "invalid_price"}),
    ({"amount": True}, {"/amount": "invalid_price"}),
    ({"amount": None}, {"/amount": "invalid_price"}),
    ({"reason": "expired_uncaptured_charge"}, {"/reason": "invalid_field"}),
    ({"note": ""}, {"/note": "invalid_field"}),
    ({"note": "x" * 501}, {"/note": "invalid_field"}),
    ({"restock": "all"}, {"/restock": "invalid_field"}),
    ({"restock": None}, {"/restock": "invalid_field"}),
    ({"restock": []}, {"/restock": "items_empty"}),
    ({"restock": [{"product_sku": "VASE"}]}, {"/restock/0/quantity": "missing_field"}),
    (
        {"restock": [{"product_sku": "VASE", "quantity": 0}]},
        {"/restock/0/quantity": "invalid_quantity"},
    ),
    ({"refund": 1}, {"/refund": "unknown_field"}),
]


@pytest.mark.parametrize(("body", "faults"), NONSENSE)
def test_a_body_that_makes_no_sense_is_refused(
    client: FlaskClient, clerk: FlaskClient, body: dict[str, Any], faults: dict[str, str]
) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    tell(payment_id, "succeeded")
    answer = ask(clerk, payment_id, KEY, **body)
    assert answer.status_code == 400
    assert pointers(answer) == faults
    assert requested() == []


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "20", 20), ("KWD", "1.230", 1230)]
)
def test_an_amount_has_the_decimals_of_its_currency(
    client: FlaskClient, clerk: FlaskClient, currency: str, amount: str, minor: int
) -> None:
    shop.make_item(currency=currency, unit_price_minor=5000)
    price = {"JPY": "5000", "KWD": "5.000"}[currency]
    payment_id = sent_payment(client, currency=currency, items=[shop.line(unit_price=price)])
    tell(payment_id, "succeeded")
    too_fine = ask(clerk, payment_id, KEY, amount=f"{amount}.1" if minor == 20 else f"{amount}1")
    assert pointers(too_fine) == {"/amount": "invalid_price"}
    answer = ask(clerk, payment_id, KEY, amount=amount)
    assert (answer.status_code, shop.body_of(answer)["amount"]) == (202, amount)
    assert requested() == [(minor, "requested")]


# --- who may ---


def test_for_strangers_owners_and_customers_there_is_no_such_thing(
    paid: Paid, sign_in: SignIn, unchanged: Callable[[], None]
) -> None:
    customer = sign_in("customer")
    unchanged()
    for caller, headers in ((paid.client, {}), (paid.client, shop.bearer(paid.order))):
        assert problem(ask(caller, paid.payment_id, headers)) == (404, "not_found")
    assert problem(ask(customer, paid.payment_id)) == (404, "not_found")
    address = f"/orders/refund/{paid.payment_id}/"
    unread = paid.client.post(address, data="{", content_type="text/plain")
    assert problem(unread) == (404, "not_found")


def test_a_viewer_may_look_and_not_act(
    paid: Paid, sign_in: SignIn, unchanged: Callable[[], None]
) -> None:
    viewer = sign_in("viewer")
    unchanged()
    assert problem(ask(viewer, paid.payment_id)) == (403, "role_too_low")


def test_another_sites_page_cannot_use_the_cookie(
    paid: Paid, clerk: FlaskClient, unchanged: Callable[[], None]
) -> None:
    unchanged()
    answer = ask(clerk, paid.payment_id, {"Origin": "https://evil.example"})
    assert problem(answer) == (403, "unauthorized_origin")


def test_a_payment_that_is_not_there_is_not_found(clerk: FlaskClient) -> None:
    assert problem(ask(clerk, 1)) == (404, "not_found")
    assert problem(ask(clerk, 1, KEY, amount="1")) == (404, "not_found")
    assert problem(clerk.get("/orders/refunds/1/")) == (404, "not_found")


def test_a_refund_is_seen_by_its_orders_owner_and_by_staff_alone(
    paid: Paid, app: Flask, clerk: FlaskClient, sign_in: SignIn
) -> None:
    address = ask(clerk, paid.payment_id).headers["Location"]
    other = shop.place(app.test_client(use_cookies=False), items=[shop.line()])

    assert paid.client.get(address, headers=shop.bearer(paid.order)).status_code == 200
    assert sign_in("viewer").get(address).status_code == 200
    for caller, headers in (
        (paid.client, {}),
        (paid.client, shop.bearer(other)),
        (sign_in("customer"), {}),
    ):
        assert problem(caller.get(address, headers=headers)) == (404, "not_found")


def test_an_owner_is_not_told_what_staff_write_to_each_other(
    paid: Paid, clerk: FlaskClient
) -> None:
    ask(clerk, paid.payment_id, KEY, amount="1", note="a difficult customer", restock=True)
    dispute(paid)
    told = paid.client.get(f"/orders/{paid.order['id']}/", headers=shop.bearer(paid.order))
    for secret in ("difficult", "staff:", "requested_by", "restock", "origin", "needs_response"):
        assert secret not in told.text
    assert "disputes" not in shop.body_of(told)
    (asked,) = (
        each for each in shop.body_of(told)["timeline"] if each["what"] == "refund.requested"
    )
    assert (asked["who"], asked["why"]) == ("staff", None)

    seen = shop.body_of(clerk.get(f"/orders/{paid.order['id']}/"))
    assert "a difficult customer" in {each["why"] for each in seen["timeline"]}
    assert [each["status"] for each in seen["disputes"]] == ["needs_response"]
    assert seen["refunds"][0]["requested_by"].startswith("staff:")
    shop.sql("DELETE FROM dispute RETURNING id")
    shop.sql("UPDATE orders SET disputed = false RETURNING id")


# --- what the provider makes of it ---


def test_a_refund_that_fails_later_is_shown_to_a_person_and_frees_its_share(
    client: FlaskClient, stripe_sandbox: StripeProcess, clerk: FlaskClient
) -> None:
    paid = Paid(client, stripe_sandbox, "pm_card_refundFail")
    address = ask(clerk, paid.payment_id).headers["Location"]
    drain()
    named = shop.body_of(clerk.get(address))["provider_refund_id"]
    stripe_sandbox.control(f"refunds/{named}/fail")
    with shop.database() as session:
        looking.stage(session, session.get_one(Payment, paid.payment_id), "refunds")
    drain()

    failed = shop.body_of(clerk.get(address))
    assert (failed["status"], bool(failed["failure"])) == ("failed", True)
    seen = shop.body_of(clerk.get(f"/orders/{paid.order['id']}/"))
    assert (seen["needs_review"], seen["status"], seen["refunded"]) == (True, "paid", "0.00")
    owners = shop.body_of(client.get(address, headers=shop.bearer(paid.order)))
    assert "failure" not in owners
    assert ask(clerk, paid.payment_id).status_code == 202
