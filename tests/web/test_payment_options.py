"""Ways to pay: what is offered for whom, and what becomes of a choice."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import capturing
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.settings_of import changed

PATH = "/orders/payment-options/"
CARD = {"provider": "stripe", "payment_method": "card"}
KLARNA = {"provider": "stripe", "payment_method": "klarna"}


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item()
    return shop.place(client)


def offered(client: FlaskClient, **query: Any) -> list[str]:
    answer = client.get(PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    return [option["payment_method"] for option in shop.body_of(answer)["options"]]


def test_an_option_says_all_that_a_page_needs(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    answer = client.get(PATH, query_string={"currency": "EUR", "country": "IE"})

    shared = {
        "provider": "stripe",
        "publishable_key": stripe_sandbox.publishable_key,
        "minimum": "0.50",
        "maximum": "999999.99",
    }
    assert shop.body_of(answer) == {
        "currency": "EUR",
        "options": [
            {**shared, "payment_method": "card", "flow": "form"},
            {**shared, "payment_method": "klarna", "flow": "redirect"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "methods"),
    [
        ({"currency": "EUR"}, ["card", "klarna"]),
        ({"currency": "SEK", "country": "SE", "amount": "120.50"}, ["card", "klarna"]),
        ({"currency": "EUR", "country": "SE"}, ["card"]),
        ({"currency": "USD", "country": "IE"}, ["card"]),
        ({"currency": "JPY", "country": "JP", "amount": "5000"}, ["card"]),
        ({"currency": "EUR", "country": "IE", "amount": "0.49"}, []),
    ],
)
def test_what_is_offered_depends_on_currency_country_and_amount(
    client: FlaskClient, query: dict[str, str], methods: list[str]
) -> None:
    assert offered(client, **query) == methods


def test_the_settings_say_what_is_offered_and_in_which_order(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, payment_methods=("klarna", "card"))
    assert offered(client, currency="EUR") == ["klarna", "card"]
    changed(monkeypatch, payment_methods=("card",))
    assert offered(client, currency="EUR") == ["card"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"country": "IE"},
        {"currency": "EUR", "amount": "1.001"},
        {"order": 0},
        {"colour": "red"},
    ],
)
def test_a_question_without_sense_is_refused(client: FlaskClient, query: dict[str, Any]) -> None:
    answer = client.get(PATH, query_string=query)
    assert shop.body_of(answer)["code"] == "invalid_parameter"


def test_an_order_needs_no_more_and_its_bill_goes_where_it_says(client: FlaskClient) -> None:
    shop.make_item()
    home = shop.place(client)
    abroad = shop.place(client, billing_address={**shop.ADDRESS, "country": "SE"})

    def of(order: dict[str, Any]) -> list[str]:
        answer = client.get(PATH, query_string={"order": order["id"]}, headers=shop.bearer(order))
        return [each["payment_method"] for each in shop.body_of(answer)["options"]]

    assert (of(home), of(abroad)) == (["card", "klarna"], ["card"])


def test_the_order_of_another_is_not_there(client: FlaskClient, order: dict[str, Any]) -> None:
    other = shop.place(client)
    for headers in ({}, shop.bearer(other)):
        answer = client.get(PATH, query_string={"order": order["id"]}, headers=headers)
        assert shop.body_of(answer)["code"] == "not_found"


# --- choosing ---


@pytest.mark.parametrize(
    "way", [{"payment_method": "cowries"}, {"provider": "stripe", "payment_method": "paypal"}]
)
def test_what_is_not_offered_is_refused_and_what_is_is_said(
    client: FlaskClient, order: dict[str, Any], way: dict[str, str]
) -> None:
    answer = shop.choose(client, order, way)

    said = shop.body_of(answer)
    assert (answer.status_code, said["code"]) == (422, "payment_not_offered")
    assert said["offered"] == [CARD, KLARNA]
    assert shop.sql("SELECT count(*) FROM payment") == [(0,)]


def test_a_method_outside_its_market_is_not_offered(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client, billing_address={**shop.ADDRESS, "country": "US"})

    said = shop.body_of(shop.choose(client, order, KLARNA))

    assert (said["code"], said["offered"]) == ("payment_not_offered", [CARD])


def test_a_provider_that_the_shop_does_not_use_is_not_offered(
    client: FlaskClient, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, payment_providers=())
    answer = shop.choose(client, order, {"provider": "stripe"})
    assert shop.body_of(answer)["code"] == "payment_not_offered"


def test_klarna_leads_to_its_page_and_the_owner_alone_is_told_where(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    promised = shop.choose(client, order, {"payment_method": "klarna"})
    assert (promised.status_code, shop.body_of(promised)["redirect_url"]) == (202, None)

    opened = shop.redirected(client, order)

    assert (opened["provider"], opened["payment_method"]) == ("stripe", "klarna")
    assert opened["status"] == "requires_action"
    assert opened["redirect_url"].startswith(stripe_sandbox.url)
    assert opened["redirect_url"] not in shop.everything_stored()
    assert shop.at_klarna(opened, "yes").startswith(f"http://127.0.0.1/back/{order['id']}?")


def test_an_approved_klarna_payment_pays_the_order(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, KLARNA)
    shop.at_klarna(shop.redirected(client, order), "yes")

    shop.tell_all(client, stripe_sandbox)

    seen = shop.look(client, order)
    assert (seen["status"], seen["payments"][0]["status"]) == ("paid", "succeeded")
    (payment,) = shop.sql("SELECT redirect_url, client_secret FROM payment")
    assert payment == (None, None)


def test_klarnas_money_can_be_reserved_and_is_captured_in_time(
    client: FlaskClient, stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, payment_capture="manual")
    shop.make_item()
    order = shop.place(client)
    shop.choose(client, order, KLARNA)
    opened = shop.redirected(client, order)
    shop.at_klarna(opened, "yes")
    shop.tell_all(client, stripe_sandbox)
    left = "SELECT state, round(extract(epoch FROM capture_before - sent_at) / 86400) FROM payment"
    assert shop.sql(left) == [("authorised", 7)]  # Stripe says none for Klarna: its shortest

    with shop.database() as session:
        capturing.request(session, opened["payment_id"], who="staff:1")
    drain()

    assert shop.look(client, order)["status"] == "paid"
    ((provider_id,),) = shop.sql("SELECT provider_payment_id FROM payment")
    charges = stripe_sandbox.ledger()["charges"]
    assert [
        (each["id"][:3], each["amount_captured"])
        for each in charges
        if each["payment_intent"] == provider_id
    ] == [("py_", 3998)]


def test_who_is_refused_at_klarna_may_try_again_on_a_new_page(
    client: FlaskClient, order: dict[str, Any], stripe_sandbox: StripeProcess
) -> None:
    shop.choose(client, order, KLARNA)
    first = shop.redirected(client, order)
    shop.at_klarna(first, "no")
    shop.tell_all(client, stripe_sandbox)
    path = f"/orders/payments/{first['payment_id']}/"
    refused = shop.body_of(client.get(path, headers=shop.bearer(order)))
    assert (refused["status"], refused["redirect_url"]) == ("open", None)
    assert "declined" in refused["failure"]

    shop.choose(client, order, KLARNA)
    second = shop.redirected(client, order)

    assert second["payment_id"] != first["payment_id"]
    assert second["redirect_url"] != first["redirect_url"]
    shop.at_klarna(second, "yes")
    shop.tell_all(client, stripe_sandbox)
    assert shop.look(client, order)["status"] == "paid"
