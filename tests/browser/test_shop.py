"""The demo shop as buyers meet it, in a real browser on the real product."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
import requests
from redis import Redis

from tests.browser.conftest import Arrival
from tests.browser.person import Person
from tests.shop import line
from tests.wiring.product import Product

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(300)]  # the first waits for the start

PHONE: dict[str, Any] = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
GOOD, DECLINED, ASKED, SLOW = "4242", "0002", "3184", "1109"


def _takes(person: Person, title: str) -> Person:
    return person.goes_to("/shop/").clicks(title).clicks("Add to basket").clicks("Check out")


def _charges(product: Product, order_id: int) -> list[str]:
    rows = product.sql("SELECT state FROM payment WHERE order_id = %s ORDER BY id", order_id)
    return [state for (state,) in rows]


def test_a_newcomer_clicks_from_the_gallery_to_a_paid_order(
    buyer: Person, running: Product
) -> None:
    _takes(buyer, "Stoneware mug").clicks("Pay €14.50").order_turns("paid").sees("Thank you.")

    assert _charges(running, buyer.order_id) == ["succeeded"]
    running.until(lambda: len(running.mails("ada@example.com")) > 0, "the confirmation")
    assert f"/shop/orders/{buyer.order_id}/" in running.mails("ada@example.com")[-1]["text"]


def test_keys_alone_are_enough_to_buy(buyer: Person) -> None:
    buyer.goes_to("/shop/").sees("Stoneware mug")
    for words in ("Stoneware mug", "Add to basket", "Check out", "Pay €14.50"):
        buyer.tabs_to(words)

    buyer.order_turns("paid")


def test_every_page_fits_a_phone_and_has_a_name_for_everything(buyer: Person) -> None:
    buyer.commands("Emulation.setDeviceMetricsOverride", **PHONE)
    buyer.goes_to("/shop/items/MUG-STONE/").clicks("Add to basket").sees("Total")
    for path in ("/shop/", "/shop/items/MUG-STONE/", "/shop/basket/", "/shop/checkout/", "/dev/"):
        assert buyer.goes_to(path).nameless() == [], path
        assert buyer.width_of_page() == PHONE["width"], path


def test_a_declined_card_leaves_the_order_to_another_card(buyer: Person, running: Product) -> None:
    _takes(buyer, "Canvas tote bag").chooses(DECLINED).clicks("Pay €12.50")
    buyer.sees("Your card was declined. Nothing was charged.")

    buyer.chooses(GOOD).clicks("Pay €12.50").order_turns("paid")

    assert _charges(running, buyer.order_id) == ["succeeded"]


def test_the_bank_asks_and_is_answered_no_then_yes(buyer: Person) -> None:
    _takes(buyer, "Harbour at dusk").chooses(ASKED).clicks("Pay €35.00")
    buyer.clicks("No, refuse").sees("Your bank did not confirm the payment.")

    buyer.chooses(ASKED).clicks("Pay €35.00").clicks("Yes, pay").order_turns("paid")


def test_klarna_is_approved_on_a_page_of_its_own(buyer: Person, running: Product) -> None:
    _takes(buyer, "Stoneware mug").chooses("Klarna").clicks("Pay €14.50")
    buyer.sees("This stands in for Klarna").clicks("Approve").order_turns("paid")

    rows = "SELECT method, state FROM payment WHERE order_id = %s"
    assert running.sql(rows, buyer.order_id) == [("klarna", "succeeded")]


def test_who_is_refused_at_klarna_pays_by_card(buyer: Person, running: Product) -> None:
    _takes(buyer, "Canvas tote bag").chooses("Klarna").clicks("Pay €12.50")
    buyer.clicks("Refuse and go back").sees("Klarna did not confirm the payment.")

    buyer.chooses(GOOD).clicks("Pay €12.50").order_turns("paid")

    assert _charges(running, buyer.order_id) == ["cancelled", "succeeded"]


def test_paypal_is_approved_on_a_page_of_its_own(buyer: Person, running: Product) -> None:
    _takes(buyer, "Stoneware mug").chooses("PayPal").clicks("Pay €14.50")
    buyer.sees("The shop asks you to pay with PayPal.").clicks("Approve").order_turns("paid")

    rows = "SELECT provider, state FROM payment WHERE order_id = %s"
    assert running.sql(rows, buyer.order_id) == [("paypal", "succeeded")]


def test_who_turns_back_at_paypal_pays_by_card(buyer: Person, running: Product) -> None:
    _takes(buyer, "Canvas tote bag").chooses("PayPal").clicks("Pay €12.50")
    buyer.clicks("Cancel and go back").chooses(GOOD).clicks("Pay €12.50").order_turns("paid")

    rows = "SELECT provider, state FROM payment WHERE order_id = %s ORDER BY id"
    ways = [("paypal", "cancelled"), ("stripe", "succeeded")]
    assert running.sql(rows, buyer.order_id) == ways


def test_a_slow_bank_is_waited_for(buyer: Person, running: Product) -> None:
    _takes(buyer, "Black T-shirt").chooses(SLOW).clicks("Pay €19.99")
    buyer.sees("Your bank is thinking.").sees("you are the bank")
    ((intent,),) = running.sql(
        "SELECT provider_payment_id FROM payment WHERE order_id = %s", buyer.order_id
    )

    control = running.run["provider_control_url"]
    requests.post(f"{control}/payment_intents/{intent}/finish_processing", timeout=30)

    buyer.order_turns("paid")


def test_an_order_that_is_not_paid_in_time_frees_its_goods(buyer: Person, running: Product) -> None:
    _takes(buyer, "Raku vase").chooses(DECLINED).clicks("Pay €125.00").sees("was declined")
    buyer.sees("Held for you until").sees(" left")

    running.sql("UPDATE orders SET expires_at = clock_timestamp() WHERE id = %s", buyer.order_id)

    buyer.order_turns("expired").sees("The time ran out.")
    buyer.goes_to("/shop/").sees("One of a kind", "[data-sku=VASE-RAKU]")


def test_two_race_for_one_piece_and_the_second_gets_it_when_the_first_gives_up(
    arrives: Arrival,
) -> None:
    first, second = arrives(), arrives()
    for each in (first, second):
        _takes(each, "Fox, woodcut")
    first.chooses(DECLINED).clicks("Pay €95.00").sees("was declined")

    second.clicks("Pay €95.00").sees("Someone else is buying")
    second.goes_to("/shop/").sees("Being bought", "[data-sku=WOODCUT-FOX]")
    first.clicks("Cancel the order").order_turns("cancelled").sees("Nothing was charged")
    second.sees("One of a kind", "[data-sku=WOODCUT-FOX]")
    second.goes_to("/shop/checkout/").clicks("Pay €95.00").order_turns("paid")

    first.goes_to("/shop/").sees("Sold", "[data-sku=WOODCUT-FOX]")


def test_who_comes_while_another_orders_the_piece_waits_for_a_moment(
    buyer: Person, running: Product
) -> None:
    _takes(buyer, "Heron, bronze").sees("Pay €1,600.00")
    with Redis.from_url(running.run["redis_url"]) as redis:
        redis.set(f"orders:{running.instance}:piece:BRONZE-HERON", "another", px=1500)

    buyer.clicks("Pay €1,600.00").sees("Waiting to see whether it stays free")

    buyer.order_turns("paid")


def test_a_page_that_waits_in_a_crowd_comes_back_when_it_is_told(
    buyer: Person, running: Product
) -> None:
    order = running.place()
    headers = {"Authorization": f"Bearer {order['token']}"}
    is_over, turned_away = Event(), set[int]()

    def waits(number: int) -> None:
        while not is_over.is_set():
            answer = running.get(f"/orders/{order['id']}/?wait=20", headers=headers)
            if pause := answer.headers.get("Retry-After"):
                turned_away.add(number)
                is_over.wait(float(pause))

    with ThreadPoolExecutor(32) as crowd:
        asking = [crowd.submit(waits, number) for number in range(32)]
        try:
            buyer.until(lambda: len(turned_away) >= 16, "crowd that finds no seat")
            buyer.goes_to(f"/shop/orders/{order['id']}/#{order['token']}").sees("Almost yours.")
            buyer.until(lambda: len(buyer.pauses("wait=20")) > 1, "another look", seconds=60)
        finally:
            is_over.set()
            running.post(f"/orders/cancel/{order['id']}/", headers=headers, json={})

    buyer.order_turns("cancelled")
    assert all(told <= kept for told, kept in buyer.pauses("wait=20"))
    assert not any(each.exception() for each in asking)


def test_what_has_changed_meanwhile_is_said_and_can_be_mended(
    buyer: Person, running: Product
) -> None:
    buyer.goes_to("/shop/items/CARDS-SET/").sees("5 left").clicks("Add to basket")
    running.sql("UPDATE stock_item SET unit_price_minor = 900 WHERE sku = 'CARDS-SET'")
    buyer.clicks("Check out").clicks("Pay €8.00").sees("Prices have changed").sees("Pay €9.00")
    rival = running.place(items=[line("CARDS-SET", 4, unit_price="9.00")])
    buyer.goes_to("/shop/items/CARDS-SET/").sees("1 left").clicks("Add more").clicks("Check out")

    buyer.clicks("Pay €18.00").sees("Only 1 left.").clicks("Take 1")
    buyer.clicks("Pay €9.00").order_turns("paid")

    assert rival["status"] == "pending"
