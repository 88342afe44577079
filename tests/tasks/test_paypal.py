"""PayPal's payments from the buyer's choice to the money, and back."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from models import capturing, refund
from providers import registry
from tasks.base import drain
from tests import settings_of, shop
from tests.providers.paypal_examples import Forger, event
from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess, StripeProcess, WebhookEndpoint

PAYPAL, CARD = {"payment_method": "paypal"}, {"payment_method": "card"}


@pytest.fixture(autouse=True)
def paypal(paypal_sandbox: PayPalProcess, monkeypatch: pytest.MonkeyPatch) -> PayPalProcess:
    """The shop has an account with PayPal, too."""
    settings_of.changed(
        monkeypatch,
        payment_providers=("stripe", "paypal"),
        payment_methods=("card", "paypal"),
    )
    paypal_sandbox.control("reset")
    return paypal_sandbox


@pytest.fixture
def order(client: FlaskClient) -> dict[str, Any]:
    shop.make_item(units=100)
    return shop.place(client)


def opened(client: FlaskClient, order: dict[str, Any]) -> str:
    """Choose PayPal and have the payment opened there; PayPal's id of it."""
    shop.choose(client, order, PAYPAL)
    drain()
    shown = shop.body_of(shop.choose(client, order, PAYPAL))
    assert shown["client_secret"] is None
    return str(shown["redirect_url"]).rpartition("token=")[2]


def approve(paypal: PayPalProcess, order_id: str, funding: str = "pays") -> None:
    paypal.control(f"orders/{order_id}/approve", {"funding": funding})


@pytest.fixture
def post_box(paypal: PayPalProcess) -> Iterator[WebhookEndpoint]:
    """Where PayPal delivers its events."""
    with WebhookEndpoint() as endpoint:
        paypal.control("config", {"webhook_url": endpoint.url})
        yield endpoint
        paypal.control("config", {"webhook_url": None})


def delivered(paypal: PayPalProcess, post_box: WebhookEndpoint) -> list[tuple[bytes, Any]]:
    """All that PayPal has delivered of what has happened so far."""
    with PayPalApi(paypal) as api:
        so_far = len(api.events())
    post_box.wait_for(lambda: len(post_box.received) >= so_far)
    bodies = (body for body, _ in post_box.received)
    return list(zip(bodies, post_box.headers, strict=True))


def post(client: FlaskClient, body: bytes, headers: Any) -> TestResponse:
    return client.post("/orders/webhook/paypal/", data=body, headers=signed_by(headers))


def signed_by(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("PAYPAL-")}


def deliver(client: FlaskClient, paypal: PayPalProcess, post_box: WebhookEndpoint) -> None:
    for body, headers in delivered(paypal, post_box):
        assert post(client, body, headers).status_code == 200


def hear(client: FlaskClient, paypal: PayPalProcess, post_box: WebhookEndpoint) -> None:
    """Hand over what PayPal has delivered, and do what follows from it."""
    deliver(client, paypal, post_box)
    drain()


def payments() -> list[tuple[str, str]]:
    return shop.sql("SELECT provider, state FROM payment ORDER BY id")


def money(paypal: PayPalProcess) -> list[tuple[str, str]]:
    return [(each["amount"], each["status"]) for each in paypal.ledger()["captures"]]


def test_what_a_buyer_approves_is_captured_and_pays_the_order(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    order_id = opened(client, order)
    assert payments() == [("paypal", "open")]
    approve(paypal, order_id)
    hear(client, paypal, post_box)

    assert money(paypal) == [("39.98", "COMPLETED")]
    assert payments() == [("paypal", "succeeded")]
    assert shop.look(client, order)["status"] == "paid"
    hear(client, paypal, post_box)  # what came of the capture, and everything once more
    assert money(paypal) == [("39.98", "COMPLETED")]


def test_a_shop_with_paypal_alone_sells(
    client: FlaskClient,
    paypal: PayPalProcess,
    post_box: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = {"payment_providers": ("paypal",), "payment_methods": ("paypal",)}
    without = {"stripe_secret_key": "", "stripe_publishable_key": "", "stripe_webhook_secret": ()}
    settings_of.changed(monkeypatch, **alone, **without)
    shop.make_item(units=100)
    order = shop.place(client)
    offered = shop.body_of(client.get("/orders/payment-options/?currency=EUR&country=IE"))
    assert [each["provider"] for each in offered["options"]] == ["paypal"]

    shop.start(client, order)  # nothing is chosen: there is one way only
    drain()
    page = shop.body_of(shop.start(client, order))["redirect_url"]
    approve(paypal, page.rpartition("token=")[2])
    hear(client, paypal, post_box)

    assert shop.look(client, order)["status"] == "paid"
    assert client.post("/orders/webhook/stripe/", data=b"{}").status_code == 404


def test_without_any_event_the_janitor_finds_the_approval(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    shop.let_pass(minutes=6)
    shop.stage_job("janitor.sweep")
    drain()
    assert money(paypal) == [("39.98", "COMPLETED")]
    assert shop.look(client, order)["status"] == "paid"


def test_a_declined_instrument_sends_the_buyer_back_to_paypal(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    order_id = opened(client, order)
    approve(paypal, order_id, "is_declined")
    hear(client, paypal, post_box)
    shown = shop.body_of(shop.choose(client, order, PAYPAL))
    assert (shown["status"], money(paypal)) == ("open", [])
    assert shown["failure"]
    assert shown["redirect_url"].endswith(order_id)

    approve(paypal, order_id)
    hear(client, paypal, post_box)
    assert shop.look(client, order)["status"] == "paid"


@pytest.mark.parametrize("case", [("complete", "succeeded", "paid"), ("deny", "failed", "pending")])
def test_a_completed_order_without_money_does_not_pay(
    client: FlaskClient,
    order: dict[str, Any],
    paypal: PayPalProcess,
    post_box: WebhookEndpoint,
    case: tuple[str, str, str],
) -> None:
    verb, state, status = case
    approve(paypal, opened(client, order), "pays_slowly")
    hear(client, paypal, post_box)
    assert payments() == [("paypal", "processing")]
    assert shop.look(client, order)["status"] == "pending"

    (capture,) = paypal.ledger()["captures"]
    paypal.control(f"captures/{capture['id']}/{verb}")
    hear(client, paypal, post_box)

    assert payments() == [("paypal", state)]
    assert shop.look(client, order)["status"] == status


def test_an_approval_after_the_order_was_cancelled_takes_no_money(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    order_id = opened(client, order)
    client.post(f"/orders/cancel/{order['id']}/", json={}, headers=shop.bearer(order))
    drain()
    assert payments() == [("paypal", "cancelled")]

    approve(paypal, order_id)
    hear(client, paypal, post_box)
    shop.let_pass(days=1)
    drain()

    assert money(paypal) == []
    assert (payments(), shop.look(client, order)["status"]) == (
        [("paypal", "cancelled")],
        "cancelled",
    )


def test_an_approval_after_the_buyer_chose_a_card_takes_no_money(
    client: FlaskClient,
    order: dict[str, Any],
    paypal: PayPalProcess,
    post_box: WebhookEndpoint,
    stripe_sandbox: StripeProcess,
) -> None:
    order_id = opened(client, order)
    shop.choose(client, order, CARD)
    drain()
    approve(paypal, order_id)  # in the other tab
    hear(client, paypal, post_box)
    assert payments() == [("paypal", "cancelled"), ("stripe", "open")]
    card = shop.body_of(shop.choose(client, order, CARD))
    shop.pay(stripe_sandbox, card["client_secret"])
    told = shop.events_of(stripe_sandbox, card["client_secret"])
    shop.deliver(client, told["payment_intent.succeeded"])
    drain()

    assert money(paypal) == []
    assert shop.look(client, order)["status"] == "paid"


def test_an_approval_that_nobody_has_heard_of_when_a_card_is_chosen_takes_no_money(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    shop.choose(client, order, CARD)
    drain()  # the look that closes it sees the approval
    hear(client, paypal, post_box)
    assert money(paypal) == []
    assert payments() == [("paypal", "cancelled"), ("stripe", "open")]


def test_money_that_is_being_taken_leaves_no_other_choice(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    deliver(client, paypal, post_box)
    shop.run_jobs("webhooks.apply")
    refused = shop.choose(client, order, CARD)
    assert (refused.status_code, shop.body_of(refused)["code"]) == (409, "payment_in_progress")
    drain()
    assert (payments(), money(paypal)) == ([("paypal", "succeeded")], [("39.98", "COMPLETED")])


def test_two_tabs_at_once_take_the_money_once(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    told = delivered(paypal, post_box)
    acts: list[Callable[[], object]] = [
        lambda: [post(tab(client), *each) for each in told],
        lambda: shop.choose(tab(client), order, CARD),
        drain,
        drain,
    ]
    shop.at_once(lambda number: acts[number](), len(acts))
    drain()

    taken = sum(state == "succeeded" for _, state in payments())
    assert len(money(paypal)) == taken
    assert payments() in (
        [("paypal", "succeeded")],
        [("paypal", "cancelled"), ("stripe", "open")],
    )


def tab(client: FlaskClient) -> FlaskClient:
    """Another tab of the same buyer's."""
    return client.application.test_client(use_cookies=False)


def test_an_order_is_not_closed_while_a_worker_takes_its_money(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    deliver(client, paypal, post_box)
    shop.run_jobs("webhooks.apply")
    with shop.database() as session:  # a worker has begun to, before anybody cancelled
        session.execute(
            text(
                "UPDATE job SET state = 'leased', lease_token = gen_random_uuid(), "
                "lease_owner = 'test', lease_until = now() + interval '1 h' "
                "WHERE kind = 'payments.capture'"
            )
        )
    client.post(f"/orders/cancel/{order['id']}/", json={}, headers=shop.bearer(order))
    shop.run_jobs("payments.close")
    assert payments() == [("paypal", "authorised")]

    shop.let_leases_expire()
    shop.sql(
        "UPDATE job SET state = 'ready', lease_token = NULL, lease_owner = NULL, "
        "lease_until = NULL WHERE kind = 'payments.capture' RETURNING id"
    )
    shop.let_pass(hours=1)
    drain()
    assert (payments(), money(paypal)) == ([("paypal", "cancelled")], [])


@pytest.fixture
def by_hand(paypal: PayPalProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money is only reserved until staff want it."""
    both = {"payment_providers": ("stripe", "paypal"), "payment_methods": ("card", "paypal")}
    settings_of.changed(monkeypatch, **both, payment_capture="manual")


def reserved(paypal: PayPalProcess) -> list[str]:
    return [each["status"] for each in paypal.ledger()["authorizations"]]


def the_payment() -> int:
    ((payment_id,),) = shop.sql("SELECT id FROM payment")
    return int(payment_id)


@pytest.mark.usefixtures("by_hand")
def test_by_hand_money_is_reserved_at_once_and_taken_when_staff_say_so(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    hear(client, paypal, post_box)
    assert (payments(), reserved(paypal), money(paypal)) == (
        [("paypal", "authorised")],
        ["CREATED"],
        [],
    )
    assert days_left() == 28

    shop.let_pass(days=2)
    shop.sweep()
    drain()
    assert shop.look(client, order)["status"] == "pending"  # its goods are held meanwhile
    with shop.database() as session:
        capturing.request(session, the_payment(), who="staff")
    drain()
    assert money(paypal) == [("39.98", "COMPLETED")]
    assert shop.look(client, order)["status"] == "paid"


def days_left() -> int:
    query = "SELECT extract(day FROM capture_before - clock_timestamp()) FROM payment"
    ((days,),) = shop.sql(query)
    return int(days)


@pytest.mark.usefixtures("by_hand")
def test_by_hand_an_approval_that_is_heard_of_late_shortens_nothing(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    shop.let_pass(minutes=6)
    shop.stage_job("janitor.sweep")
    drain()  # a look finds the approval, and has the money reserved
    assert (payments(), reserved(paypal)) == ([("paypal", "authorised")], ["CREATED"])
    told = delivered(paypal, post_box)
    (approval,) = [each for each in told if b"CHECKOUT.ORDER.APPROVED" in each[0]]
    assert post(client, *approval).json == {"received": True}
    shop.run_jobs("webhooks.apply")
    assert days_left() == 28
    drain()
    assert (days_left(), reserved(paypal), money(paypal)) == (28, ["CREATED"], [])


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("is_reserved", [True, False])
def test_by_hand_money_of_a_cancelled_order_is_let_go(
    client: FlaskClient,
    order: dict[str, Any],
    paypal: PayPalProcess,
    post_box: WebhookEndpoint,
    is_reserved: bool,
) -> None:
    approve(paypal, opened(client, order))
    if is_reserved:
        hear(client, paypal, post_box)
    client.post(f"/orders/cancel/{order['id']}/", json={}, headers=shop.bearer(order))
    drain()
    hear(client, paypal, post_box)
    assert payments() == [("paypal", "cancelled")]
    assert reserved(paypal) == ["VOIDED"] * is_reserved
    assert (money(paypal), shop.look(client, order)["status"]) == ([], "cancelled")


@pytest.mark.usefixtures("by_hand")
def test_by_hand_a_reservation_that_paypal_let_go_ends_the_payment(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    hear(client, paypal, post_box)
    (made,) = paypal.ledger()["authorizations"]
    paypal.control(f"authorizations/{made['id']}/void")
    hear(client, paypal, post_box)
    assert payments() == [("paypal", "cancelled")]


@pytest.mark.usefixtures("by_hand")
def test_by_hand_what_was_only_agreed_to_is_taken_whole_if_staff_are_first(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    deliver(client, paypal, post_box)
    shop.run_jobs("webhooks.apply")
    with shop.database() as session:
        capturing.request(session, the_payment(), who="staff")
    shop.run_jobs("payments.capture")
    drain()
    assert (payments(), money(paypal)) == ([("paypal", "succeeded")], [("39.98", "COMPLETED")])


@pytest.mark.usefixtures("by_hand")
def test_by_hand_an_instrument_that_is_declined_sends_the_buyer_back(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    order_id = opened(client, order)
    approve(paypal, order_id, "is_declined")
    hear(client, paypal, post_box)
    shown = shop.body_of(shop.choose(client, order, PAYPAL))
    assert (shown["status"], bool(shown["failure"]), reserved(paypal)) == ("open", True, [])
    approve(paypal, order_id)
    hear(client, paypal, post_box)
    assert (payments(), reserved(paypal)) == ([("paypal", "authorised")], ["CREATED"])


def test_money_goes_back_and_comes_from_the_dashboard_as_well(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    hear(client, paypal, post_box)
    ((payment_id,),) = shop.sql("SELECT id FROM payment")
    with shop.database() as session:
        refund.request(session, payment_id, amount_minor=1000, origin="staff", who="test", why="-")
    drain()
    (capture,) = paypal.ledger()["captures"]
    amount: Any = {"amount": {"currency_code": "EUR", "value": "5.00"}}
    paypal.control(f"captures/{capture['id']}/refund", amount)
    hear(client, paypal, post_box)

    refunds = shop.sql("SELECT amount_minor, state, origin FROM refund ORDER BY amount_minor")
    assert [row[:2] for row in refunds] == [(500, "succeeded"), (1000, "succeeded")]
    given = sorted(each["amount"] for each in paypal.ledger()["refunds"])
    assert given == ["10.00", "5.00"]


def test_a_dispute_stops_the_order(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    hear(client, paypal, post_box)
    (capture,) = paypal.ledger()["captures"]
    dispute = paypal.control(f"captures/{capture['id']}/dispute")
    hear(client, paypal, post_box)
    assert shop.sql("SELECT disputed FROM orders") == [(True,)]
    paypal.control(f"disputes/{dispute['id']}/win")
    hear(client, paypal, post_box)
    assert shop.sql("SELECT disputed FROM orders") == [(False,)]


def test_a_forged_event_changes_nothing(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    order_id = opened(client, order)
    approve(paypal, order_id)
    ((genuine, headers),) = delivered(paypal, post_box)
    headers = signed_by(headers)
    forged = event("PAYMENT.CAPTURE.COMPLETED", {}) | {"resource": {"id": "X"}}
    body = json.dumps(forged).encode()
    forger, url = Forger(), "http://127.0.0.1:1/v1/notifications/certs/CERT-1"
    old = timedelta(days=30)
    before = shop.rows()
    for sent, with_ in (
        (body, forger.headers(body, url, paypal.webhook_id)),
        (body, forger.headers(body, headers["PAYPAL-CERT-URL"], paypal.webhook_id)),
        (genuine, forger.headers(genuine, headers["PAYPAL-CERT-URL"], "0OTHER", old)),
        (genuine.replace(b"39.98", b"00.01"), headers),
        (genuine, headers | {"PAYPAL-TRANSMISSION-TIME": "2026-01-01T00:00:00Z"}),
        (genuine, {}),
    ):
        answer = client.post("/orders/webhook/paypal/", data=sent, headers=with_)
        assert (answer.status_code, shop.body_of(answer)["code"]) == (400, "invalid_signature")
    assert shop.rows() == before

    taken = [client.post("/orders/webhook/paypal/", data=genuine, headers=headers) for _ in "ab"]
    assert [each.json for each in taken] == [{"received": True}, {"skipped": True}]


def test_a_certificate_that_cannot_be_had_has_the_event_sent_again(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    ((body, headers),) = delivered(paypal, post_box)
    registry.get.cache_clear()  # as in a process that has just begun
    paypal.fault("certs.get", "fail_before", status=503)
    answers = [post(client, body, headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [503, 200]
    assert "Retry-After" in answers[0].headers


def test_a_lost_answer_of_a_capture_takes_the_money_once(
    client: FlaskClient, order: dict[str, Any], paypal: PayPalProcess, post_box: WebhookEndpoint
) -> None:
    approve(paypal, opened(client, order))
    paypal.fault("orders.capture", "accept_then_cut")
    hear(client, paypal, post_box)
    assert money(paypal) == [("39.98", "COMPLETED")]
    assert shop.look(client, order)["status"] == "paid"
