"""What can be seen of the running product from outside of its processes."""

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.wiring.product import Product

pytestmark = pytest.mark.wiring


def _figure(product: Product, name: str, **labels: str) -> float:
    scrape = requests.get(product.run["base_urls"]["metrics"], timeout=30)
    return sum(
        sample.value
        for family in text_string_to_metric_families(scrape.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_one_address_tells_what_every_process_did_for_an_order(running: Product) -> None:
    def figures() -> list[float]:
        tries = "orders_job_tries_total"
        return [
            _figure(running, "orders_http_requests_total", endpoint="orders.create", status="201"),
            _figure(running, tries, kind="payments.create_intent", outcome="done"),
            _figure(running, tries, kind="notifications.send", outcome="done"),
            _figure(running, "orders_provider_calls_total", call="create", outcome="ok"),
        ]

    under_way = "SELECT 1 FROM job WHERE state IN ('ready', 'leased') AND order_id IS NOT NULL"
    running.until(lambda: not running.sql(under_way), "what others have bought is done")
    before = figures()
    running.buy(guest_email="seen@example.com")
    running.until(lambda: len(running.mails("seen@example.com")) == 1, "the mail is there")
    running.until(lambda: figures() == [each + 1 for each in before], "each is counted once")
    assert _figure(running, "orders_database_up") == 1
