"""Whatever staff can do by API they can do at the desk, where a form leads to the same verb."""

import re

import pytest
from flask import Flask

from web import admission
from web.desk.frame import ASSETS

TEMPLATES = ASSETS.parents[1] / "templates" / "desk"
AT_THE_DESK = {
    "POST /catalog/": "stock_create",
    "PATCH /catalog/<sku>/": "stock_change",
    "POST /catalog/<sku>/adjust/": "stock_adjust",
    "POST /catalog/<sku>/archive/": "stock_archive",
    "POST /catalog/<sku>/unarchive/": "stock_unarchive",
    "POST /orders/cancel/<int:order_id>/": "cancel",
    "POST /orders/capture/<int:payment_id>/": "capture",
    "POST /orders/ship/<int:order_id>/": "ship",
    "POST /orders/deliver/<int:order_id>/": "deliver",
    "POST /orders/release-review/<int:order_id>/": "release_review",
    "POST /orders/clear-shortage/<int:order_id>/": "clear_shortage",
    "POST /orders/refund/<int:payment_id>/": "refund",
    "POST /staff/refunds/record/": "record_refund",
    "POST /staff/orders/mark-refunded/": "bulk_look",
    "POST /staff/jobs/<int:job_id>/retry/": "job_retry",
    "POST /staff/jobs/<int:job_id>/cancel/": "job_cancel",
}
"""What staff do by API, and the endpoint of the desk that does it."""
NOT_OF_STAFF = {
    "POST /orders/create/": "a buyer orders",
    "POST /orders/start-payment/<int:order_id>/": "a buyer pays; staff never pay for them",
    "POST /orders/webhook/": "a provider reports",
    "POST /orders/webhook/<provider>/": "a provider reports",
    "POST /auth/sign-up/": "a customer makes an account; `flask users create-staff` makes staff's",
    "POST /auth/login/": "the door of the API; the desk has its own",
    "POST /auth/logout/": "the same",
    "POST /auth/password/": "one's own account, whose owner needs no desk for it",
    "POST /auth/keys/": "keys are of no use at the desk, which is entered in person",
    "DELETE /auth/keys/<int:key_id>/": "the same",
}
"""What acts by API and is nothing that staff do with the shop, with the reason."""


def _acting(app: Flask) -> set[str]:
    """Every call of the API that changes something."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("desk.")
    }


def test_every_act_of_the_api_is_at_the_desk_or_is_not_of_staff(product: Flask) -> None:
    assert _acting(product) == AT_THE_DESK.keys() | NOT_OF_STAFF.keys()


@pytest.mark.parametrize("call", AT_THE_DESK)
def test_the_desk_asks_for_the_role_that_the_api_asks_for(product: Flask, call: str) -> None:
    method, _, path = call.partition(" ")
    (endpoint,) = {
        rule.endpoint
        for rule in product.url_map.iter_rules()
        if rule.rule == path and method in (rule.methods or ())
    }
    at_the_desk, by_api = (
        product.view_functions[each].access  # type: ignore[union-attr]
        for each in (f"desk.{AT_THE_DESK[call]}", endpoint)
    )
    assert at_the_desk.who == (by_api.who if by_api.who in admission.ROLES else "clerk")


def test_a_page_leads_to_each_of_them() -> None:
    pages = "".join(page.read_text() for page in TEMPLATES.glob("*.html"))
    led_to = set(re.findall(r"(?:form)?action=\"\{\{ url_for\('desk\.(\w+)'", pages))
    assert set(AT_THE_DESK.values()) <= led_to
