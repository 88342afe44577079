"""A shop in a test: what buyers, workers and the provider do, in one line each."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import requests
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from models import catalogue, job, user
from models.session import ClockOffset, move_clock, transaction
from models.tables import Base
from tasks import database_app
from tasks.base import drain, perform
from tests.sandbox.process import StripeProcess

T = TypeVar("T")

PASSWORD = "correct horse battery staple"
ADDRESS = {"line1": "123 Street", "city": "Town", "postal_code": "12345", "country": "IE"}


@contextmanager
def database() -> Iterator[Session]:
    """A transaction of the test's own, as a worker has them."""
    with database_app.app_context(), transaction() as session:
        yield session


def make_item(sku: str = "TSHIRT-BLUE", units: int = 10, **changes: Any) -> int:
    """Put an item on sale; its id."""
    item = {
        "sku": sku,
        "title": "Blue T-shirt",
        "unit_price_minor": 1999,
        "currency": "EUR",
        "stock": units,
        "who": "test",
    }
    with database() as session:
        return catalogue.create(session, **{**item, **changes}).id


def body_of(answer: TestResponse) -> dict[str, Any]:
    """The JSON object of an answer."""
    body = answer.get_json()
    assert isinstance(body, dict), answer.text
    return body


def line(sku: str = "TSHIRT-BLUE", quantity: Any = 2, **changes: Any) -> dict[str, Any]:
    return {
        "product_title": "Blue T-shirt",
        "product_sku": sku,
        "unit_price": 19.99,
        "quantity": quantity,
        **changes,
    }


def order_body(sku: str = "TSHIRT-BLUE", quantity: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "guest_email": "guest@example.com",
        "currency": "EUR",
        "items": [line(sku, quantity)],
        "shipping_address": ADDRESS,
        **changes,
    }


def place(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    """Place an order; its JSON."""
    answer = client.post("/orders/create/", json=order_body(**changes))
    assert answer.status_code == 201, answer.text
    return body_of(answer)


def bearer(order: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {order['token']}"}


def start(client: FlaskClient, order: Mapping[str, Any], **headers: str) -> TestResponse:
    return choose(client, order, {}, **headers)


def choose(
    client: FlaskClient, order: Mapping[str, Any], way: Mapping[str, Any], **headers: str
) -> TestResponse:
    """Start a payment by this way."""
    path = f"/orders/start-payment/{order['id']}/"
    return client.post(path, json=way, headers={**bearer(order), **headers})


def open_payment(client: FlaskClient, order: Mapping[str, Any]) -> dict[str, Any]:
    """Start the order's payment and have it opened at the provider; its JSON, with the secret."""
    start(client, order)
    drain()
    payment = body_of(start(client, order))
    assert payment["client_secret"], payment
    return payment


def redirected(client: FlaskClient, order: Mapping[str, Any]) -> dict[str, Any]:
    """Have the started payment opened at the provider; its JSON, with the page to go on to."""
    drain()
    payment = body_of(start(client, order))
    assert payment["redirect_url"], payment
    return payment


def at_klarna(payment: Mapping[str, Any], passed: str) -> str:
    """Say `yes` or `no` on the page of the payment; the address that leads back."""
    said = requests.post(
        payment["redirect_url"], data={"passed": passed}, timeout=30, allow_redirects=False
    )
    return said.headers["Location"]


def look(client: FlaskClient, order: Mapping[str, Any]) -> dict[str, Any]:
    """The order as its owner sees it."""
    answer = client.get(f"/orders/{order['id']}/", headers=bearer(order))
    assert answer.status_code == 200, answer.text
    return body_of(answer)


def pay(
    stripe_sandbox: StripeProcess,
    client_secret: str,
    method: str = "pm_card_visa",
    *,
    may_be_closed: bool = False,
) -> None:
    """Pay as a browser does; what may be closed already is refused then."""
    intent_id = client_secret.partition("_secret_")[0]
    answer = requests.post(
        f"{stripe_sandbox.url}/v1/payment_intents/{intent_id}/confirm",
        data={
            "client_secret": client_secret,
            "payment_method": method,
            "return_url": "http://127.0.0.1/back",
        },
        headers={"Authorization": f"Bearer {stripe_sandbox.publishable_key}"},
        timeout=30,
    )
    assert answer.status_code in (200, 402, *((400,) if may_be_closed else ())), answer.text


def events_of(stripe_sandbox: StripeProcess, client_secret: str) -> dict[str, dict[str, Any]]:
    """The provider's events about one intent, by type, as it would deliver them."""
    intent_id = client_secret.partition("_secret_")[0]
    events = stripe_sandbox.client().v1.events.list({"limit": 100}).data
    return {
        event.type: event.to_dict()
        for event in reversed(events)
        if event.to_dict()["data"]["object"]["id"] == intent_id
    }


def tell_all(client: FlaskClient, stripe_sandbox: StripeProcess) -> None:
    """Deliver the provider's events about our payments, oldest first, and do what follows."""
    ids = {name for (name,) in sql("SELECT provider_payment_id FROM payment")}
    events = stripe_sandbox.client().v1.events.list({"limit": 100}).data
    for event in reversed(events):
        told = event.to_dict()
        if told["data"]["object"]["id"] in ids:
            assert deliver(client, told).status_code == 200
    drain()


_numbers = count()


def event_about(subject: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """An event that the provider could have made of `subject`."""
    return {
        "id": f"evt_made_{next(_numbers)}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": dict(subject)},
        **changes,
    }


def signature(
    body: bytes, secret: str = "whsec_of_the_tests", *, age: int = 0, now: float | None = None
) -> dict[str, str]:
    """The header with which the provider signs a delivery."""
    stamp = int((now or time.time()) - age)
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest}"}


def deliver(client: FlaskClient, event: Mapping[str, Any]) -> TestResponse:
    """Deliver an event as the provider would."""
    body = json.dumps(event).encode()
    return client.post(
        "/orders/webhook/",
        data=body,
        content_type="application/json; charset=utf-8",
        headers=signature(body),
    )


def run_jobs(kind: str) -> None:
    """Try each due job of this kind once, as a worker does."""
    due = "SELECT id FROM job WHERE kind = :kind AND state = 'ready' ORDER BY id"
    for (job_id,) in sql(due, kind=kind):
        perform(job_id)


def stage_job(kind: str, **arguments: Any) -> None:
    """Stage a job of this kind, as nothing has before."""
    with database() as session:
        job.stage(session, kind, key=f"{kind}:test:{next(_numbers)}", **arguments)


def sweep() -> None:
    """Close what is overdue, as beat has it done every few seconds."""
    stage_job("reservations.sweep")
    run_jobs("reservations.sweep")


def let_pass(**duration: float) -> None:
    """Move the clock of the database on, as in `let_pass(minutes=20)`."""
    with database() as session:
        so_far = session.scalar(select(ClockOffset.shift)) or timedelta(0)
        move_clock(session, so_far + timedelta(**duration))


def let_leases_expire() -> None:
    """Make every lease look as if its worker had died long ago."""
    with database() as session:
        session.execute(
            text("UPDATE job SET lease_until = lease_until - interval '1 h' WHERE state = 'leased'")
        )


def sql(statement: str, **values: Any) -> list[Any]:
    """Rows of a query, looked at directly."""
    with database() as session:
        return [tuple(row) for row in session.execute(text(statement), values)]


def rows() -> dict[str, int]:
    """How many rows every table has."""
    with database() as session:
        return {
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Base.metadata.sorted_tables
        }


def everything_stored() -> str:
    """Every row of every table, as text."""
    names = [table.name for table in Base.metadata.sorted_tables]
    return "\n".join(str(row) for name in names for row in sql(f"SELECT {name}::text FROM {name}"))


def make_user(email: str, role: str = "customer") -> int:
    """Add a user whose password is `PASSWORD`; their id."""
    with database() as session:
        return user.create(session, email=email, password=PASSWORD, role=role, who="test").id


def log_in(client: FlaskClient, email: str, password: str = PASSWORD) -> TestResponse:
    return client.post("/auth/login/", json={"email": email, "password": password})


def at_once(act: Callable[[int], T], times: int) -> list[T]:
    """What `act(0)`, `act(1)`, … return, all begun together, each in a thread of its own."""
    gate = threading.Barrier(times)

    def begin(number: int) -> T:
        gate.wait(timeout=20)
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(begin, range(times)))


def patiently(post: Callable[[], TestResponse]) -> TestResponse:
    """The answer to a request that is repeated, as it asks, while the shop is busy."""
    while (answer := post()).status_code == 503:
        time.sleep(0.05)
    return answer


def await_that(condition: Callable[[], object], seconds: float = 15) -> None:
    """Return when the condition holds, or fail after a long while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
