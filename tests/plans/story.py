"""What is told, looked at and done in a shop before the plans of its statements are judged."""

import secrets
from collections.abc import Iterator
from urllib.parse import quote_plus

from flask import Flask, url_for
from flask.testing import FlaskClient

import tasks
from models import order_desk
from models.kinds import KINDS
from tasks import relay
from tasks.base import drain, perform
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.web.desk.browser import Desk
from web.desk.orders import SHOWN

_PERIODIC = ("audit", "janitor", "maintenance", "reconcile", "reservations")
_ABOUT_A_PAYMENT = (
    "disputes.refresh",
    "payments.capture",
    "payments.close",
    "payments.refresh",
    "payments.reserve",
    "refunds.refresh",
)
_SKUS = [f"SKU-{number}" for number in range(9)]
_QUERIES = {
    "/orders/payment-options/": ["currency=EUR"],
    "/orders/": [
        "",
        "starting_after=1000000",
        *(f"status={status}" for status in order_desk.STATUSES),
        "email=guest@example.com",
        "sku=SKU-1",
        "order_number=ABC",
        "fulfilment=none",
        "needs_review=true",
        "stock_shortage=true",
        "disputed=true",
        "created_after=2026-01-01T00:00:00Z",
        "created_before=2126-01-01T00:00:00Z",
    ],
    "/staff/desk/orders/": [
        "",
        "after=1000000",
        *(f"show={quote_plus(show)}" for show in SHOWN),
        "q=SKU-1",
        "q=guest@example.com",
        "q=17",
        "q=pi_17",
    ],
    "/staff/jobs/": [
        "starting_after=1000000",
        "state=dead",
        "state=done",
        "kind=payments.close",
        "queue=mail",
        "older_than=60",
    ],
    "/staff/desk/jobs/": [
        "after=1000000",
        "state=dead",
        "state=ready",
        "kind=payments.close",
        "queue=mail",
    ],
    "/staff/webhooks/": [
        "starting_after=1000000",
        "state=parked",
        "state=received",
        "state=ignored",
    ],
    "/staff/desk/events/": ["after=1000000", "state=parked", "state=received", "state=applied"],
    "/staff/refunds/": ["state=failed", "state=succeeded", "origin=provider"],
    "/staff/disputes/": ["state=open", "state=won"],
    "/staff/desk/overview/": ["by=hour"],
    "/catalog/": ["q=shirt", "available=true"],
    "/staff/desk/stock/": ["q=shirt"],
}
_COMMANDS = (
    "jobs list --state dead",
    "jobs list --older-than 60s",
    "jobs stats",
    "reservations list",
    "reservations list --overdue",
    "refunds list",
    "disputes list",
    "catalog list",
    "keys list",
    "users list",
)


def tell(client: FlaskClient, clerk: Desk, sandbox: StripeProcess) -> None:
    """What becomes of six orders."""
    if not shop.sql("SELECT id FROM stock_item"):
        for sku in _SKUS:
            shop.make_item(sku, units=10**6)
    paid = [_paid(client, sandbox, "pm_card_visa") for _ in range(2)]
    _paid(client, sandbox, "pm_card_chargeDeclined", "pm_card_visa")
    shop.tell_all(client, sandbox)
    for verb, fields in (("ship", {"carrier": "Post"}), ("deliver", {})):
        clerk.do(f"orders/{paid[0]['id']}/{verb}/", fields)
    path = f"payments/{paid[1]['payment_id']}/refund/"
    clerk.do(path, once=secrets.token_hex(8), seen="3998", amount="19.99")
    cancelled, _, _ = (shop.place(client, sku=_SKUS[0]) for _ in range(3))
    headers = {**shop.bearer(cancelled), "Idempotency-Key": secrets.token_hex(16)}
    assert client.post(f"/orders/cancel/{cancelled['id']}/", json={}, headers=headers).status_code
    shop.let_pass(minutes=20)
    shop.sweep()
    drain()


def _paid(client: FlaskClient, sandbox: StripeProcess, *methods: str) -> dict[str, object]:
    order = shop.place(client, items=[shop.line(sku, 1) for sku in _SKUS[:2]])
    payment = shop.open_payment(client, order)
    for method in methods:
        shop.pay(sandbox, payment["client_secret"], method)
    return {**order, "payment_id": payment["payment_id"]}


def look_at_everything(app: Flask, manager: Desk) -> None:
    """Every page and every list, also narrowed down and further down."""
    asked = [f"{path}?{query}" for path in _paths(app) for query in _QUERIES.get(path, ("",))]
    answers = {address: manager.browser.get(address) for address in asked}
    assert [address for address, answer in answers.items() if answer.status_code >= 400] == []
    assert all(answer.data is not None for answer in answers.values())  # streams are read


def _paths(app: Flask) -> Iterator[str]:
    """Of every GET, about something that is there."""
    there = {
        name: shop.sql(f"SELECT max(id) FROM {table}")[0][0]
        for name, table in (
            ("order_id", "orders"),
            ("payment_id", "payment"),
            ("refund_id", "refund"),
            ("job_id", "job"),
            ("event_id", "webhook_event"),
            ("mail_id", "notification"),
        )
    }
    there |= {"sku": _SKUS[0], "verb": "ship"}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "GET" in (rule.methods or ()) and rule.arguments <= there.keys():
                values = {name: there[name] for name in rule.arguments}
                yield url_for(rule.endpoint, **values)


def do_what_comes_by_itself(app: Flask) -> None:
    """Beat's round, every periodic job, and what staff ask for at the prompt."""
    relay.LedgerScheduler(app=tasks.app).tick()
    for kind in KINDS:
        if kind.partition(".")[0] in _PERIODIC:
            shop.stage_job(kind)
    drain()
    ((payment_id, name),) = shop.sql(
        "SELECT id, provider_payment_id FROM payment WHERE state = 'succeeded' "
        "ORDER BY id DESC LIMIT 1"
    )
    for kind in _ABOUT_A_PAYMENT:
        shop.stage_job(kind, payment_id=payment_id)
    shop.stage_job("refunds.record", payment_id=payment_id, provider_refund_id="re_of_nobody")
    stray = {"provider": "stripe", "provider_payment_id": name, "marked_id": payment_id}
    shop.stage_job("payments.close_stray", **stray)
    for (job_id,) in shop.sql("SELECT id FROM job WHERE state = 'ready'"):
        perform(job_id)
    tried = {kind for (kind,) in shop.sql("SELECT DISTINCT kind FROM job WHERE attempts > 0")}
    assert KINDS.keys() - tried == set()
    runner = app.test_cli_runner()
    for command in _COMMANDS:
        done = runner.invoke(args=command.split())
        assert done.exit_code == 0, f"{command}: {done.output}"
