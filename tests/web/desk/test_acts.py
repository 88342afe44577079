"""Each act of the desk does what it says, once, in the name of whoever did it."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import webhook_event
from tests import jobs, shop
from tests.sandbox.process import StripeProcess
from tests.telling import expire_unpaid, sent_payment, tell
from tests.web.desk.browser import OURS, Desk

Json = dict[str, Any]


@pytest.fixture
def order(client: FlaskClient) -> Json:
    """An order that is not paid yet."""
    shop.make_item()
    return shop.place(client)


@pytest.fixture
def paid(client: FlaskClient, order: Json, stripe_sandbox: StripeProcess) -> Json:
    """The order, paid."""
    payment = shop.open_payment(client, order)
    shop.pay(stripe_sandbox, payment["client_secret"])
    for event in shop.events_of(stripe_sandbox, payment["client_secret"]).values():
        shop.deliver(client, event)
    shop.run_jobs("webhooks.apply")
    return {**order, "payment_id": payment["payment_id"]}


def told(what: str) -> list[tuple[str, str]]:
    """Who did it and why, by the journal."""
    rows = shop.sql("SELECT who, why FROM journal WHERE what = :what ORDER BY id", what=what)
    return [(who, why) for who, why in rows]


def staff_id(desk: Desk) -> str:
    ((user_id,),) = shop.sql("SELECT id FROM user_account WHERE email = :e", e=desk.email)
    return f"staff:{user_id}"


def test_shipping_tells_the_customer_and_the_journal(
    client: FlaskClient, paid: Json, clerk: Desk
) -> None:
    path = f"orders/{paid['id']}/ship/"

    assert "shipped" in clerk.do(path, carrier="An Post", tracking_number="RR1")

    seen = shop.look(client, paid)
    assert (seen["status"], seen["shipment"]["tracking_number"]) == ("shipped", "RR1")
    assert told("orders.fulfilment") == [(staff_id(clerk), "An Post, RR1")]
    assert shop.sql("SELECT kind FROM notification ORDER BY id") == [
        ("order_paid",),
        ("order_shipped",),
    ]
    page = clerk.page(f"orders/{paid['id']}/")
    assert clerk.email in page
    assert "delivered" in clerk.do(f"orders/{paid['id']}/deliver/")
    assert shop.look(client, paid)["status"] == "delivered"


def test_what_cannot_be_shipped_is_said_and_left_as_it_is(
    client: FlaskClient, order: Json, clerk: Desk
) -> None:
    assert "not paid" in clerk.do(f"orders/{order['id']}/ship/")
    assert shop.look(client, order)["status"] == "pending"


def test_a_refund_clicked_twice_is_one_and_goods_come_back(paid: Json, clerk: Desk) -> None:
    path = f"payments/{paid['payment_id']}/refund/"
    key = clerk.keys(f"orders/{paid['id']}/")[f"/staff/desk/{path}"]
    given = {"once": key, "seen": "3998", "amount": "19.99", "back:TSHIRT-BLUE": "1"}

    said = [clerk.do(path, given, note="One was torn.") for _ in range(2)]

    assert said == ["The refund is on its way to the provider.", "That was done already."]
    assert shop.sql("SELECT amount_minor, requested_by FROM refund") == [(1999, staff_id(clerk))]
    assert told("refund.requested") == [(staff_id(clerk), "One was torn.")]
    shop.run_jobs("refunds.create")
    assert shop.sql("SELECT stock FROM stock_item") == [(9,)]


def test_of_two_who_give_back_the_same_money_the_second_is_told(
    paid: Json, clerk: Desk, manager: Desk
) -> None:
    path = f"payments/{paid['payment_id']}/refund/"
    given = {"seen": "3998", "amount": "10.00"}
    clerk.do(path, given, once="of-the-clerk")

    said = manager.do(path, given, once="of-the-manager")

    assert "faster" in said
    assert shop.sql("SELECT amount_minor FROM refund") == [(1000,)]


def test_all_that_is_left_goes_back_once(paid: Json, clerk: Desk, manager: Desk) -> None:
    path = f"payments/{paid['payment_id']}/refund/"
    for desk in (clerk, manager):
        desk.do(path, once=desk.email, seen="3998", amount="")
    assert shop.sql("SELECT amount_minor FROM refund") == [(3998,)]


def test_a_refund_made_by_hand_is_asked_about_once(paid: Json, clerk: Desk) -> None:
    path = f"payments/{paid['payment_id']}/record-refund/"
    for key in ("one", "two"):
        assert "asked" in clerk.do(path, once=key, provider_refund_id="re_by_hand")
    assert told("payment.refund_reported") == [
        (staff_id(clerk), "refund re_by_hand was made by hand")
    ]
    assert shop.sql("SELECT count(*) FROM job WHERE kind = 'refunds.record'") == [(1,)]


@pytest.mark.parametrize("amount", ["0", "-1", "abc", "1.999", "1e3", "99999"])
def test_an_amount_that_cannot_be_is_refused(paid: Json, clerk: Desk, amount: str) -> None:
    path = f"payments/{paid['payment_id']}/refund/"
    page = clerk.send(path, once="key", amount=amount)
    assert page.status_code == 303
    assert shop.sql("SELECT count(*) FROM refund") == [(0,)]


def test_cancelling_frees_the_goods(client: FlaskClient, order: Json, clerk: Desk) -> None:
    assert "Cancelled" in clerk.do(f"orders/{order['id']}/cancel/", reason="She rang.")

    assert shop.look(client, order)["status"] == "cancelled"
    assert shop.sql("SELECT held FROM stock_item") == [(0,)]
    assert (staff_id(clerk), "She rang.") in told("order.closing")


def test_a_hold_extended_by_two_clicks_is_extended_once(order: Json, clerk: Desk) -> None:
    path = f"orders/{order['id']}/extend/"
    before = shop.sql("SELECT expires_at FROM orders")[0][0]
    for _ in range(2):
        clerk.do(path, once="one-key", minutes="30", why="He is at it.")

    after = shop.sql("SELECT expires_at FROM orders")[0][0]
    assert round((after - before).total_seconds()) == 30 * 60
    assert told("order.extended") == [(staff_id(clerk), "He is at it.")]


@pytest.mark.parametrize("minutes", ["", "0", "-5", "x", "99999999"])
def test_a_hold_is_extended_by_minutes_alone(order: Json, clerk: Desk, minutes: str) -> None:
    assert "Minutes" in clerk.do(f"orders/{order['id']}/extend/", minutes=minutes, why="x")
    assert told("order.extended") == []


def test_review_shortage_and_note(client: FlaskClient, paid: Json, clerk: Desk) -> None:
    shop.sql("UPDATE orders SET needs_review = true RETURNING id")
    clerk.do(f"orders/{paid['id']}/release-review/", why="The bank says so.")
    assert told("order.reviewed") == [(staff_id(clerk), "The bank says so.")]
    assert shop.look(client, paid)["needs_review"] is False

    for _ in range(2):
        clerk.do(f"orders/{paid['id']}/note/", once="one-key", why="Wants a ribbon.")
    assert told("order.note") == [(staff_id(clerk), "Wants a ribbon.")]


def test_a_shortage_is_cleared_from_stock(client: FlaskClient, clerk: Desk) -> None:
    shop.make_item(units=2)
    late = sent_payment(client)
    expire_unpaid(late)
    tell(sent_payment(client), "succeeded")
    tell(late, "succeeded")
    ((order_id,),) = shop.sql("SELECT id FROM orders WHERE stock_shortage")
    path = f"orders/{order_id}/clear-shortage/"
    assert "TSHIRT-BLUE 0" in clerk.do(path, once="one", why="Found them.")
    clerk.do("stock/items/TSHIRT-BLUE/adjust/", way="counted", units="2", reason="Found them.")

    assert "Taken" in clerk.do(path, once="two", why="Found them.")

    assert shop.sql("SELECT id FROM orders WHERE stock_shortage") == []
    assert told("order.shortage_cleared") == [(staff_id(clerk), "Found them.")]


# --- many at once ---


def test_many_are_shipped_each_with_its_own_result(
    client: FlaskClient, paid: Json, clerk: Desk
) -> None:
    unpaid = shop.place(client)
    chosen = [paid["id"], unpaid["id"]]
    look = clerk.page(f"orders/bulk/ship/?order={chosen[0]}&order={chosen[1]}")
    assert shop.look(client, paid)["status"] == "paid"
    assert paid["order_number"] in look

    for result in ("shipped; the customer is told", "was shipped already"):
        page = clerk.send("orders/bulk/ship/", {"order": chosen}).text
        assert result in page
        assert "1 of 2 done" in page
        assert "not paid" in page

    assert shop.look(client, paid)["status"] == "shipped"
    assert told("orders.fulfilment") == [(staff_id(clerk), "no tracking")]


def test_many_are_refunded_once(paid: Json, clerk: Desk) -> None:
    for _ in range(2):
        page = clerk.send("orders/bulk/refund/", {"order": [paid["id"]]}).text
        assert "€39.98 goes back" in page
    assert shop.sql("SELECT amount_minor FROM refund") == [(3998,)]


def test_a_bulk_that_is_none_is_not_found(clerk: Desk) -> None:
    clerk.page("orders/bulk/burn/", 404)


# --- jobs, events, mails ---


def test_a_dead_job_is_tried_again_and_a_second_click_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, clerk: Desk
) -> None:
    jobs.declare(monkeypatch)
    job_id = jobs.stage()
    shop.sql("UPDATE job SET state = 'dead', last_error = 'it broke' RETURNING id")
    for _ in range(2):
        clerk.do(f"jobs/{job_id}/retry/", once="one-key", why="Mended.")
    assert shop.sql("SELECT state FROM job") == [("ready",)]
    assert told("job.state") == [(staff_id(clerk), "Mended.")]

    assert "cannot be retried" in clerk.do(f"jobs/{job_id}/retry/", once="another", why="Again.")
    clerk.do(f"jobs/{job_id}/cancel/", once="third", why="Not needed.")
    assert shop.sql("SELECT state FROM job") == [("cancelled",)]


def test_a_parked_event_is_applied_now(
    client: FlaskClient, order: Json, clerk: Desk, stripe_sandbox: StripeProcess
) -> None:
    payment = shop.open_payment(client, order)
    shop.pay(stripe_sandbox, payment["client_secret"])
    event = shop.events_of(stripe_sandbox, payment["client_secret"])["payment_intent.succeeded"]
    shop.deliver(client, event)
    later = "UPDATE job SET run_at = run_at + interval '1 h' WHERE kind = 'webhooks.apply'"
    shop.sql(f"{later} RETURNING id")
    ((event_id,),) = shop.sql("SELECT id FROM webhook_event")
    with shop.database() as session:
        webhook_event.end(session, event_id, "parked", reason="its payment is not here yet")

    assert "applied now" in clerk.do(f"events/{event_id}/replay/", why="It is there.")
    shop.run_jobs("webhooks.apply")

    assert shop.look(client, order)["status"] == "paid"
    assert told("webhook_event.replayed") == [(staff_id(clerk), "It is there.")]
    assert "asked" in clerk.do(f"events/{event_id}/replay/", why="To be sure.")
    assert ("payments.refresh",) in shop.sql("SELECT kind FROM job")


def test_a_mail_is_sent_again_as_a_copy(paid: Json, clerk: Desk) -> None:
    ((mail_id, first),) = shop.sql("SELECT id, message_id FROM notification")
    for _ in range(2):
        clerk.do(f"mails/{mail_id}/resend/", once="one-key", why="It went astray.")

    ((number, copy, message_id),) = shop.sql(
        "SELECT id, copy, message_id FROM notification WHERE copy > 0"
    )
    assert copy == 1
    assert message_id != first
    assert told("notification.resent") == [(staff_id(clerk), "It went astray.")]
    assert shop.sql("SELECT state FROM job WHERE dedupe_key = :k", k=f"mail:{number}") == [
        ("ready",)
    ]
    assert f"mails/{number}/" in clerk.page(f"orders/{paid['id']}/")


# --- stock ---


def test_pieces_are_booked_once_a_form(order: Json, clerk: Desk) -> None:
    path = "stock/items/TSHIRT-BLUE/adjust/"
    for _ in range(2):
        clerk.do(path, once="one-key", way="changed", units="+5", reason="Came.")
    assert shop.sql("SELECT stock FROM stock_item") == [(15,)]
    clerk.do(path, once="another", way="counted", units="12", reason="Counted.")
    assert shop.sql("SELECT stock FROM stock_item") == [(12,)]
    assert "least 2" in clerk.do(path, once="third", way="counted", units="0", reason="Wrong.")
    assert shop.sql("SELECT stock FROM stock_item") == [(12,)]
    assert clerk.email in clerk.page("stock/items/TSHIRT-BLUE/")
    assert order["order_number"] in clerk.page("stock/items/TSHIRT-BLUE/")


def test_a_manager_adds_changes_and_archives_an_item(manager: Desk) -> None:
    item = {"sku": "MUG", "title": "Mug", "unit_price": "12.50", "currency": "EUR", "stock": "0"}
    assert "on sale" in manager.do("stock/items/", item)
    manager.do("stock/items/MUG/change/", title="Big mug", unit_price="13.00", why="Bigger.")
    manager.do("stock/items/MUG/archive/", why="Out of fashion.")
    assert shop.sql("SELECT title, unit_price_minor, stock, status FROM stock_item") == [
        ("Big mug", 1300, 0, "archived")
    ]
    manager.do("stock/items/MUG/unarchive/", why="In fashion.")
    assert shop.sql("SELECT status FROM stock_item") == [("available",)]


CSV = "sku,title,unit_price,currency,stock\nMUG,Mug,12.50,EUR,3\n"


def _import(desk: Desk, text: str, what: str) -> str:
    data = {"file": (io.BytesIO(text.encode()), "items.csv"), "what": what, "why": "A delivery."}
    answer = desk.browser.post("/staff/desk/stock/import/", data=data, headers=OURS)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_file_is_tried_before_it_is_applied(manager: Desk) -> None:
    assert "1 new" in _import(manager, CSV, "dry")
    assert shop.sql("SELECT sku FROM stock_item") == []
    for created in ("1 new", "0 new"):
        assert created in _import(manager, CSV, "apply")
    assert shop.sql("SELECT sku, stock FROM stock_item") == [("MUG", 3)]
    assert told("stock_item.created") == [(staff_id(manager), "A delivery.")]


@pytest.mark.parametrize(
    "text", ["", "sku\nMUG\n", CSV + "MUG,Mug,1.00,EUR,1\n", CSV.replace("12.50", "twelve"), "\0"]
)
def test_a_file_with_a_fault_changes_nothing(manager: Desk, text: str) -> None:
    assert "Nothing was changed" in _import(manager, text, "apply")
    assert shop.sql("SELECT sku FROM stock_item") == []


# --- who may not ---


def test_a_viewer_is_refused_what_is_not_offered(
    client: FlaskClient, order: Json, desk_of: Callable[[str], Desk]
) -> None:
    answer = desk_of("viewer").send(f"orders/{order['id']}/cancel/")
    assert answer.status_code == 403
    assert re.search("role", answer.text)
    assert shop.look(client, order)["status"] == "pending"
