"""The staff desk as staff meet it, in a real browser on the real product."""

import secrets
from typing import Any

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Arrival
from tests.browser.person import Person
from tests.shop import line
from tests.wiring.product import Product

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]  # the first waits for the start

Order = dict[str, Any]

PHONE: dict[str, Any] = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def manager(arrives: Arrival, running: Product) -> Person:
    """The manager whom the product starts with, logged in."""
    return _logs_in(arrives(), **running.run["staff"])


@pytest.fixture
def colleague(arrives: Arrival, running: Product) -> Person:
    """A clerk, logged in."""
    email = f"clerk-{secrets.token_hex(4)}@example.com"
    password = secrets.token_urlsafe(16)
    made = running.post("/auth/sign-up/", json={"email": email, "password": password})
    assert made.status_code < 400, made.text
    running.sql("UPDATE user_account SET role = 'clerk' WHERE email = %s", email)
    return _logs_in(arrives(), email, password)


def _logs_in(person: Person, email: str, password: str) -> Person:
    person.goes_to("/staff/").fills("email", email).fills("password", password).clicks("Log in")
    return person.sees("Needs a person")


def _paid(product: Product, quantity: int = 2, **changes: Any) -> Order:
    order = product.buy(quantity=quantity, **changes)
    product.until(lambda: product.status(order) == "paid", "the order is paid")
    return order


def _page_of(order: Order) -> str:
    return f"/staff/desk/orders/{order['id']}/"


def _done_by(product: Product, what: str, order: Order) -> list[str]:
    """Who did this to the order, by the journal: addresses of staff."""
    rows = product.sql(
        "SELECT email FROM journal JOIN user_account ON who = 'staff:' || user_account.id "
        "WHERE what = %s AND order_id = %s",
        what,
        order["id"],
    )
    return [email for (email,) in rows]


def test_a_clerk_ships_an_order_and_its_customer_is_told(
    colleague: Person, running: Product
) -> None:
    email = f"{secrets.token_hex(4)}@example.com"
    order = _paid(running, guest_email=email)

    colleague.goes_to(_page_of(order)).sees("ready to be shipped")
    colleague.fills("carrier", "An Post").fills("tracking_number", "RR 1234 IE")
    colleague.clicks("Mark as shipped").sees("The customer is told once.").sees("RR 1234 IE")

    running.until(lambda: len(running.mails(email)) == 2, "the second mail")
    assert "RR 1234 IE" in running.mails(email)[-1]["text"]
    (clerk,) = _done_by(running, "orders.fulfilment", order)
    colleague.sees(clerk, "#story + ol")


def test_keys_alone_are_enough_to_log_in_and_ship(arrives: Arrival, running: Product) -> None:
    order, person, staff = _paid(running), arrives(), running.run["staff"]
    person.goes_to("/staff/").sees("Log in").presses_keys(staff["email"])
    person.tabs_into("password", staff["password"]).presses_keys(Keys.ENTER)

    person.sees(order["order_number"]).tabs_to(order["order_number"])
    person.sees("ready to be shipped").tabs_into("carrier", "DHL")
    person.tabs_into("tracking_number", "JD014600").presses_keys(Keys.ENTER)

    person.sees("The customer is told once.").sees("JD014600")
    assert running.status(order) == "shipped"


def test_of_two_who_refund_the_second_sees_what_the_first_did_and_cannot_repeat_it(
    manager: Person, colleague: Person, running: Product
) -> None:
    order = _paid(running, quantity=3)
    ((stock,),) = running.sql("SELECT stock FROM stock_item WHERE sku = 'TSHIRT-BLUE'")
    for each in (manager, colleague):
        each.goes_to(_page_of(order)).clicks("Refund").fills("amount", "19.99")
        each.fills("back:TSHIRT-BLUE", "1").fills("note", "One was torn.")

    manager.clicks("Give back").sees("on its way to the provider")
    colleague.sees("\N{MINUS SIGN}€19.99").sees("One was torn.", "#story + ol")  # without a click
    colleague.clicks("Give back").sees("Somebody else was faster")

    running.until(lambda: running.status(order) == "partially_refunded", "the refund is made")
    assert running.sql(
        "SELECT amount_minor, state FROM refund WHERE order_id = %s", order["id"]
    ) == [(1999, "succeeded")]
    assert running.sql("SELECT stock FROM stock_item WHERE sku = 'TSHIRT-BLUE'") == [(stock + 1,)]
    assert _done_by(running, "refund.requested", order) == [running.run["staff"]["email"]]
    manager.sees("partially refunded")


def test_many_are_shipped_after_a_look_with_a_result_for_each(
    manager: Person, running: Product
) -> None:
    paid, other, unpaid = _paid(running), _paid(running), running.place()
    manager.goes_to("/staff/desk/orders/")
    for order in (paid, other, unpaid):
        manager.presses(f"input[name=order][value='{order['id']}']")

    manager.clicks("Mark shipped…").sees("Mark shipped: 3 orders")
    assert running.status(paid) == "paid"
    manager.clicks("Mark shipped").sees("2 of 3 done")

    rows = manager.text_of("table tbody").splitlines()
    told = {row.split()[0]: row for row in rows}
    assert "shipped; the customer is told" in told[paid["order_number"]]
    assert "shipped; the customer is told" in told[other["order_number"]]
    assert "not paid" in told[unpaid["order_number"]]
    assert [running.status(each) for each in (paid, other, unpaid)] == [
        "shipped",
        "shipped",
        "pending",
    ]


def test_a_dead_job_is_found_mended_and_tried_again(manager: Person, running: Product) -> None:
    email, control = f"{secrets.token_hex(4)}@example.com", running.run["mail_control_url"]
    fault = {"kind": "reject_recipient", "address": email}
    requests.post(f"{control}/faults", json=fault, timeout=30).raise_for_status()
    order = _paid(running, guest_email=email)
    manager.goes_to("/staff/desk/person/").sees("Dead jobs").sees("No such mailbox here")
    requests.delete(f"{control}/faults", timeout=30).raise_for_status()

    manager.goes_to("/staff/desk/jobs/?state=dead").sees("notifications.send")
    manager.presses("table td:first-child a").sees("No such mailbox here")
    manager.fills("why", "The mailbox is there now.").clicks("Try again")

    manager.sees("It is tried again, from now on.")
    running.until(lambda: len(running.mails(email)) == 1, "the mail")
    assert _done_by(running, "job.state", order) == [running.run["staff"]["email"]]


def test_a_title_with_markup_stays_text_wherever_it_is_shown(
    manager: Person, buyer: Person, running: Product
) -> None:
    sku = f"XSS-{secrets.token_hex(4)}"
    manager.goes_to("/staff/desk/stock/").clicks("Add an item").fills("sku", sku)
    manager.fills("title", MARKUP).fills("unit_price", "5.00").fills("stock", "3")
    manager.clicks("Put on sale").sees("on sale").sees(MARKUP)
    items = [line(sku, 1, product_title=MARKUP, unit_price="5.00")]

    order = _paid(running, items=items)

    for path in (
        "/staff/desk/orders/",
        _page_of(order),
        f"/staff/desk/orders/bulk/ship/?order={order['id']}",
        f"/staff/desk/stock/?q={sku}",
        f"/staff/desk/stock/items/{sku}/",
    ):
        manager.goes_to(path).sees(MARKUP if "bulk" not in path else order["order_number"])
    buyer.goes_to("/shop/").sees(MARKUP)
    running.sql("UPDATE stock_item SET status = 'archived' WHERE sku = %s", sku)


def test_every_page_fits_a_phone_and_has_a_name_for_everything(
    manager: Person, running: Product
) -> None:
    order = _paid(running)
    numbers = {
        name: running.sql(f"SELECT max(id) FROM {name} WHERE order_id = %s", order["id"])[0][0]
        for name in ("job", "webhook_event", "notification")
    }
    manager.commands("Emulation.setDeviceMetricsOverride", **PHONE)
    for path in (
        "orders/",
        f"orders/{order['id']}/",
        f"orders/bulk/ship/?order={order['id']}",
        "person/",
        "jobs/",
        f"jobs/{numbers['job']}/",
        "events/",
        f"events/{numbers['webhook_event']}/",
        f"mails/{numbers['notification']}/",
        "stock/",
        "stock/items/TSHIRT-BLUE/",
        "stock/import/",
        "overview/",
        "overview/?by=hour",
    ):
        manager.goes_to(f"/staff/desk/{path}").sees("All times are UTC.")
        assert manager.nameless() == [], path
        assert manager.width_of_page() == PHONE["width"], path
