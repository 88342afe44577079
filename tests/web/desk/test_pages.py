"""Each page of the desk shows what is there, to staff alone, and runs nothing that it is told."""

import csv
import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import days
from tests import jobs, shop
from tests.sandbox.process import StripeProcess
from tests.web.desk.browser import OURS, Desk

MARKUP = '<script>alert("x")</script>'
PAGES = [
    "orders/",
    "orders/1/",
    "orders/1/live/",
    "orders/bulk/ship/?order=1",
    "orders/bulk/refund/?order=1",
    "person/",
    "jobs/",
    "jobs/?state=dead&kind=payments.close&queue=payments",
    "jobs/1/",
    "events/",
    "events/?state=parked",
    "events/1/",
    "stock/",
    "stock/?q=shirt",
    "stock/items/TSHIRT-BLUE/",
    "stock/import/",
    "overview/",
    "overview/?by=hour",
    "mails/1/",
]


def _paid_order(client: FlaskClient, stripe_sandbox: StripeProcess) -> dict[str, object]:
    order = shop.place(client)
    payment = shop.open_payment(client, order)
    shop.pay(stripe_sandbox, payment["client_secret"])
    for event in shop.events_of(stripe_sandbox, payment["client_secret"]).values():
        shop.deliver(client, event)
    shop.run_jobs("webhooks.apply")
    return order


@pytest.fixture
def full_house(
    client: FlaskClient, stripe_sandbox: StripeProcess, clerk: Desk
) -> dict[str, object]:
    """A paid order with all that belongs to it, whose words are markup."""
    shop.make_item(title=MARKUP)
    order = _paid_order(client, stripe_sandbox)
    clerk.do(f"orders/{order['id']}/note/", why=MARKUP)
    return order


def _path(template: str, order: dict[str, object]) -> str:
    """The path with the ids that this database has given."""
    ids = {
        "orders": order["id"],
        "jobs": shop.sql("SELECT max(id) FROM job")[0][0],
        "events": shop.sql("SELECT max(id) FROM webhook_event")[0][0],
        "mails": shop.sql("SELECT max(id) FROM notification")[0][0],
    }
    kind = template.partition("/")[0]
    return template.replace("/1/", f"/{ids.get(kind)}/").replace("order=1", f"order={order['id']}")


def test_the_overview_is_shown_when_its_days_are_kept(
    full_house: dict[str, object], clerk: Desk
) -> None:
    with shop.database() as session:
        assert days.keep(session)
    assert "39.98" in clerk.page("overview/")


def test_each_page_is_shown_and_markup_stays_text(
    full_house: dict[str, object], clerk: Desk, manager: Desk
) -> None:
    for template in PAGES:
        page = manager.page(_path(template, full_house))
        assert MARKUP not in page, template
        assert "<script>" not in page, template
        assert " style=" not in page, template
        assert not re.findall(r' on\w+="', page), template
    assert "&lt;script&gt;" in manager.page(f"orders/{full_house['id']}/")


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(manager: Desk) -> None:
    shop.make_item()
    for path in ("/staff/desk/orders/", "/staff/desk/stock/"):
        answer = manager.browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_everything_that_a_page_is_made_of_is_served(app: Flask) -> None:
    browser = app.test_client()
    page = browser.get("/staff/").text
    assets = re.findall(r'(?:src|href)="(/staff/assets/[^"]+)"', page)
    assert len(assets) >= 5
    for address in assets:
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        answer.close()


# --- the door ---


def test_who_is_not_signed_in_is_shown_the_door_and_led_back(app: Flask) -> None:
    browser = app.test_client()
    answer = browser.get("/staff/desk/jobs/?state=dead")
    assert answer.status_code == 401
    assert 'name="password"' in answer.text
    then = "/staff/desk/jobs/?state=dead"
    assert f'value="{then}"' in answer.text
    shop.make_user("ann@example.com", "viewer")

    given = {"email": "ann@example.com", "password": shop.PASSWORD, "then": then}
    answer = browser.post("/staff/", data=given, headers=OURS)

    assert (answer.status_code, answer.headers["Location"]) == (303, then)
    assert "ann@example.com" in browser.get(then).text


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example", "/staff/desk/\\evil"])
def test_the_door_leads_nowhere_else(app: Flask, then: str) -> None:
    shop.make_user("ann@example.com", "viewer")
    given = {"email": "ann@example.com", "password": shop.PASSWORD, "then": then}

    answer = app.test_client().post("/staff/", data=given, headers=OURS)

    assert answer.headers["Location"] == "/staff/desk/orders/"


def test_a_customer_and_a_wrong_password_stay_outside(app: Flask) -> None:
    shop.make_user("ann@example.com", "customer")
    shop.make_user("bob@example.com", "clerk")
    for email, password in (("ann@example.com", shop.PASSWORD), ("bob@example.com", "wrong")):
        browser = app.test_client()
        answer = browser.post("/staff/", data={"email": email, "password": password}, headers=OURS)
        assert answer.status_code == 401
        assert browser.get("/staff/desk/orders/").status_code == 401


def test_logging_out_ends_the_session(clerk: Desk) -> None:
    assert clerk.send("log-out/").status_code == 303
    clerk.page("orders/", 401)


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_of_another_site_does_nothing(
    client: FlaskClient, clerk: Desk, headers: dict[str, str]
) -> None:
    shop.make_item()
    order = shop.place(client)

    answer = clerk.browser.post(f"/staff/desk/orders/{order['id']}/cancel/", headers=headers)

    assert answer.status_code == 403
    assert shop.look(client, order)["status"] == "pending"


def test_a_browser_that_says_that_the_page_is_ours_is_believed(
    client: FlaskClient, clerk: Desk
) -> None:
    shop.make_item()
    order = shop.place(client)
    path = f"/staff/desk/orders/{order['id']}/cancel/"
    clerk.browser.post(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert shop.look(client, order)["status"] == "cancelled"


def test_what_goes_wrong_is_a_page_not_a_problem_in_json(clerk: Desk) -> None:
    page = clerk.page("orders/999999/", 404)
    assert page.startswith("<!doctype html>")
    assert "not_found" in page


@pytest.mark.parametrize("address", ["nowhere/", "orders/abc/", "orders/1/ship/", "<b>/"])
def test_a_wrong_address_leads_to_a_page_that_says_so(
    app: Flask, clerk: Desk, address: str
) -> None:
    page = clerk.page(address, 404)
    assert page.startswith("<!doctype html>")
    assert "To the orders" in page
    assert "<b>" not in page
    assert 'name="password"' in Desk(app.test_client(), "nobody").page(address, 401)


def test_an_address_of_the_desk_without_its_slash_or_page_is_led_on(clerk: Desk) -> None:
    for path in ("/staff/desk", "/staff/desk/", "/staff/desk/orders", "/staff/desk/orders/"):
        page = clerk.browser.get(path, follow_redirects=True)
        assert (page.status_code, "Orders · Staff desk" in page.text) == (200, True), path


# --- the list ---


def test_orders_are_found_by_all_that_names_them(
    client: FlaskClient, stripe_sandbox: StripeProcess, clerk: Desk
) -> None:
    shop.make_item()
    shop.make_item("MUG-1", title="Mug")
    other = shop.place(client, guest_email="other@example.com", items=[shop.line("MUG-1", 1)])
    order = shop.place(client, guest_email="Ann@Example.com")
    shop.open_payment(client, order)
    ((intent,),) = shop.sql("SELECT provider_payment_id FROM payment")
    number, strange = order["order_number"], other["order_number"]

    for text in (
        number,
        number.lower(),
        str(order["id"]),
        "ann@example.com",
        "TSHIRT-BLUE",
        intent,
    ):
        page = clerk.page(f"orders/?q={text}")
        assert number in page, text
        assert strange not in page, text
    assert "No order is like that" in clerk.page("orders/?q=pi_nobody")


def test_the_list_is_narrowed_and_goes_on_page_by_page(client: FlaskClient, clerk: Desk) -> None:
    shop.make_item(units=500)
    placed = [shop.place(client, quantity=1)["order_number"] for _ in range(52)]
    first = clerk.page("orders/?show=unpaid")
    assert placed[-1] in first
    assert placed[0] not in first
    (older,) = re.findall(r'href="/staff/desk/(orders/\?[^"]*after=[^"]*)"', first)
    second = clerk.page(older.replace("&amp;", "&"))
    assert placed[0] in second
    assert placed[-1] not in second
    assert "No order is like that" in clerk.page("orders/?show=refunded")


def test_the_csv_has_every_order_and_no_formula(client: FlaskClient, clerk: Desk) -> None:
    shop.make_item(units=500)
    shop.place(client, guest_email="=cmd@example.com")
    placed = {shop.place(client, quantity=1)["order_number"] for _ in range(3)}

    answer = clerk.browser.get("/staff/desk/orders.csv?show=unpaid")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.mimetype == "text/csv"
    assert placed < {row["order_number"] for row in rows}
    assert rows[-1]["email"] == "'=cmd@example.com"
    assert rows[0]["total"] == "19.99"


# --- an open page, and what needs a person ---


def test_an_open_page_is_renewed_only_when_there_is_news(client: FlaskClient, clerk: Desk) -> None:
    shop.make_item()
    order = shop.place(client)
    page = clerk.page(f"orders/{order['id']}/")
    (live,) = re.findall(r'hx-get="/staff/desk/([^"]+seen=[^"]+)"', page)
    clerk.page(live, 204)

    clerk.do(f"orders/{order['id']}/note/", why="She rang.")

    assert "She rang." in clerk.page(live)


def test_nothing_to_do_means_go_home(clerk: Desk) -> None:
    assert "Go home" in clerk.page("person/")


def test_what_needs_a_person_is_there_and_counted(
    app: Flask, client: FlaskClient, clerk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item()
    flagged, short = shop.place(client), shop.place(client)
    shop.sql("UPDATE orders SET needs_review = true WHERE id = :id RETURNING id", id=flagged["id"])
    shop.sql("UPDATE orders SET stock_shortage = true WHERE id = :id RETURNING id", id=short["id"])
    jobs.declare(monkeypatch)
    job_id = jobs.stage()
    shop.sql("UPDATE job SET state = 'dead', last_error = 'it broke' RETURNING id")

    page = clerk.page("person/")

    assert flagged["order_number"] in page
    assert short["order_number"] in page
    assert f"Job {job_id}" in page
    assert '<span class="count">3</span>' in page
    shop.sql("DELETE FROM job RETURNING id")


def test_the_mail_is_shown_without_the_key_to_the_order(
    full_house: dict[str, object], clerk: Desk
) -> None:
    ((mail_id,),) = shop.sql("SELECT id FROM notification")
    page = clerk.page(f"mails/{mail_id}/")
    html = clerk.browser.get(f"/staff/desk/mails/{mail_id}/html/")
    assert str(full_house["order_number"]) in html.text
    assert "ord_" not in page + html.text
    assert MARKUP not in html.text
    assert "sandbox" in html.headers["Content-Security-Policy"]


def test_a_viewer_is_offered_no_act(client: FlaskClient, desk_of: Callable[[str], Desk]) -> None:
    shop.make_item()
    order = shop.place(client)
    viewer = desk_of("viewer")
    for path in ("orders/", f"orders/{order['id']}/", "stock/", "stock/items/TSHIRT-BLUE/"):
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', viewer.page(path))
        assert forms == ["/staff/desk/log-out/"], path
