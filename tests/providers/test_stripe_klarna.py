"""Klarna through Stripe: asked for by name, approved on a page, its money reserved or taken."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
import stripe

import settings
from models.intents import PaymentRequest
from providers.base import Rejected
from providers.stripe import Stripe
from tests.providers.stripe_world import StripeWorld
from tests.providers.world import name_of, opened, payment_request, refund_request
from tests.sandbox.process import StripeProcess
from tests.stripe_spec import SPECS, StrictHTTPClient

BACK = "http://127.0.0.1:9/shop/orders/7/"
KLARNA: dict[str, Any] = {
    "payment_method": "klarna",
    "return_url": BACK,
    "country": "IE",
    "email": "guest@example.com",
}


@pytest.fixture
def world(stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeWorld]:
    if SPECS.exists():
        monkeypatch.setattr(stripe, "RequestsClient", StrictHTTPClient)
    around = StripeWorld(stripe_sandbox)
    yield around
    around.over()


def decide(world: StripeWorld, asked: PaymentRequest, answer: str) -> str:
    """What the buyer says on Klarna's page; the address that leads them back."""
    page = world.adapter.fetch(asked).redirect_url
    assert page is not None
    assert "Klarna" in requests.get(page, timeout=5).text
    said = requests.post(page, data={"passed": answer}, timeout=5, allow_redirects=False)
    return said.headers["Location"]


def charge_of(stripe_sandbox: StripeProcess, asked: PaymentRequest) -> dict[str, Any]:
    (charge,) = (
        each
        for each in stripe_sandbox.ledger()["charges"]
        if each["payment_intent"] == asked.provider_payment_id
    )
    return dict(charge)


def test_klarna_is_asked_for_in_these_words_and_answers_with_its_page(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = payment_request(world, **KLARNA)

    seen = world.adapter.create(asked)

    ((sent),) = stripe_sandbox.read(f"requests?idempotency_key={asked.key}")
    words = {name: value for name, value in sent["params"] if not name.startswith("metadata")}
    assert words == {
        "amount": "3998",
        "currency": "eur",
        "description": "Order 7K2M-Q9XW-4TRB",
        "allowed_payment_method_types[0]": "klarna",
        "confirm": "true",
        "payment_method_data[type]": "klarna",
        "payment_method_data[billing_details][address][country]": "IE",
        "payment_method_data[billing_details][email]": "guest@example.com",
        "return_url": BACK,
    }
    assert seen.state == "requires_action"
    assert seen.redirect_url is not None
    assert seen.raw["payment_method_types"] == ["klarna"]
    assert seen.redirect_url not in str(seen.raw)


def test_a_card_is_asked_for_by_name_and_opens_a_form(world: StripeWorld) -> None:
    seen = world.adapter.create(payment_request(world, payment_method="card"))

    assert (seen.state, seen.redirect_url) == ("open", None)
    assert seen.raw["payment_method_types"] == ["card"]


def test_an_approved_klarna_payment_is_money_by_a_charge_of_its_own_kind(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = opened(world, **KLARNA)

    assert decide(world, asked, "yes").startswith(f"{BACK}?")

    seen = world.adapter.fetch(asked)
    assert (seen.state, seen.received_minor, seen.redirect_url) == ("succeeded", 3998, None)
    assert charge_of(stripe_sandbox, asked)["id"].startswith("py_")
    given = world.adapter.refund(refund_request(world, asked))
    assert (given.state, given.amount_minor) == ("succeeded", 1000)


def test_a_refused_klarna_payment_is_open_again_and_its_page_is_gone(world: StripeWorld) -> None:
    asked = opened(world, **KLARNA)

    assert "redirect_status=failed" in decide(world, asked, "no")

    seen = world.adapter.fetch(asked)
    assert (seen.state, seen.redirect_url) == ("open", None)
    assert seen.failure is not None
    assert seen.failure.code == "payment_method_customer_decline"
    assert world.adapter.close(asked).state == "cancelled"


def test_klarnas_money_is_captured_once_and_whole(
    world: StripeWorld, stripe_sandbox: StripeProcess
) -> None:
    asked = opened(world, **KLARNA, is_captured_by_hand=True)
    decide(world, asked, "yes")
    assert world.adapter.fetch(asked).state == "authorised"

    taken = [world.adapter.capture(asked) for _ in range(2)]

    assert [each.received_minor for each in taken] == [3998, 3998]
    assert world.captured(name_of(asked)) == 3998
    disputed = world.dispute(name_of(asked))
    (dispute,) = world.adapter.disputes_of(name_of(asked))
    assert (dispute.provider_dispute_id, dispute.state) == (disputed, "open")


def test_what_stripe_drops_silently_is_closed_and_refused(world: StripeWorld) -> None:
    """A method of the request that the answer lacks would be paid by another one."""
    asked = payment_request(world, **{**KLARNA, "payment_method": None})
    opened_before = world.adapter.create(asked)  # with what the account has
    named = replace(asked, payment_method="twint", is_unknown=True)
    world.later(timedelta(hours=1))  # so that it is found by our mark

    with pytest.raises(Rejected, match="twint is not available"):
        world.adapter.create(named)

    again = replace(asked, provider_payment_id=opened_before.provider_payment_id)
    assert world.adapter.fetch(again).state == "cancelled"


def test_a_try_that_is_declined_at_once_leaves_the_payment_open(
    world: StripeWorld, stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    declined = {"payment_method": "pm_card_chargeDeclined", "confirm": True, "return_url": BACK}
    monkeypatch.setattr("providers.stripe.asked_of", lambda _request: declined)
    asked = payment_request(world)

    seen = world.adapter.create(asked)

    assert (seen.state, seen.redirect_url) == ("open", None)
    assert seen.failure is not None
    assert world.adapter.create(asked) == seen
    assert world.opened(asked) == [seen.provider_payment_id]


def test_stripe_refuses_a_currency_that_klarna_does_not_take(world: StripeWorld) -> None:
    asked = payment_request(world, **KLARNA, currency="JPY", amount_minor=5000)

    with pytest.raises(Rejected):
        Stripe(settings.current()).create(asked)
