"""Neither the logs nor Redis learn who buys, where they live, or any secret."""

import logging
import traceback
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import settings
from tasks.base import drain
from tests import shop
from tests.mail import MailServer
from tests.sandbox.process import StripeProcess

EMAIL = "canary@example.com"
BUYER: dict[str, Any] = {
    "guest_email": EMAIL,
    "shipping_address": {**shop.ADDRESS, "name": "Canary Buyer", "line1": "7 Canary Street"},
}


def everything_in(redis: Any) -> str:
    """Every key with its value, of whatever type it is."""
    readers = {
        b"string": redis.get,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"hash": redis.hgetall,
    }
    return "\n".join(f"{key!r} {readers[redis.type(key)](key)}" for key in redis.scan_iter("*"))


def test_a_whole_flow_leaves_no_trace_of_the_buyer_outside_the_database(
    browser: FlaskClient,
    redis: Any,
    stripe_sandbox: StripeProcess,
    mail_server: MailServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # the test's own server
    published = redis.pubsub()
    published.psubscribe("*")
    shop.make_item(units=5)
    shop.make_item("VASE", 1, is_unique=True)
    shop.make_user(EMAIL)

    shop.log_in(browser, EMAIL, "wrong")
    shop.log_in(browser, EMAIL)
    browser.post("/orders/create/", json=shop.order_body(quantity=9, **BUYER))
    browser.post("/orders/create/", json={**shop.order_body(**BUYER), "extra": EMAIL})
    order = shop.place(browser, items=[shop.line(), shop.line("VASE", 1)], **BUYER)
    secret = shop.open_payment(browser, order)["client_secret"]
    shop.pay(stripe_sandbox, secret, "pm_card_chargeDeclined")
    shop.pay(stripe_sandbox, secret)
    event = shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"]
    browser.post("/orders/webhook/", data=b"{}", headers=shop.signature(b"{} "))
    shop.deliver(browser, event)
    mail_server.refusals.append(f"451 not now, <{EMAIL}>")
    drain()
    shop.let_pass(minutes=10)
    drain()

    assert [mail["To"] for mail in mail_server.received] == [EMAIL]
    in_redis = everything_in(redis)
    while message := published.get_message(timeout=0.5):
        in_redis += f"\n{message}"
    published.close()
    assert "payments.create_intent" in in_redis
    assert "payment:" in in_redis
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    chosen = settings.current()
    for told in ("canary", "guest_id", shop.PASSWORD, order["token"], order["order_number"]):
        assert told.lower() not in (logged + in_redis).lower()
    for key in (secret, chosen.stripe_secret_key, *chosen.stripe_webhook_secret):
        assert key not in logged + in_redis


def test_what_postgresql_says_of_a_refused_row_is_not_repeated(client: FlaskClient) -> None:
    shop.make_item()
    order = shop.place(client, **BUYER)

    with pytest.raises(IntegrityError) as refused, shop.database() as session:
        session.execute(text("UPDATE orders SET total_minor = 0"))

    told = "".join(traceback.format_exception(refused.value))
    assert "ck_orders_total_positive" in told
    assert EMAIL not in told
    assert order["order_number"] not in told
