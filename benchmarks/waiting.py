"""What 200 clients who wait for news cost those who buy, in one run.

`python -m benchmarks.waiting [--waiting 200] [--seconds 8] [--rounds 5]` starts a PostgreSQL with
full durability, a Valkey and gunicorn as the Procfile has it. Four buyers place orders without
pause, by turns alone and beside the clients who wait. Half of those look at an order (`?wait=10`),
half start a payment (`Prefer: wait=10`) which no worker ever opens; whoever is answered asks
again after `Retry-After`. Printed are the orders placed in a second, the ratio of the two, and
how soon a client was answered for whom no seat was free. All clients run on the same cores as
the server, which counts against it.
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import cycle
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.product import serving
from benchmarks.servers import ROOT, servers
from sandbox.embedded import HOST
from sandbox.runner import plan

BUYERS = 4
WAIT_SECONDS = 10
LEAST_RATIO = 0.8
_SEATS = 8  # half of the threads that a web process has by default
_ORDER = {
    "guest_email": "guest@example.com",
    "currency": "EUR",
    "items": [
        {
            "product_title": "Blue T-shirt",
            "product_sku": "TSHIRT-BLUE",
            "unit_price": "19.99",
            "quantity": 1,
        }
    ],
    "shipping_address": {
        "line1": "123 Street",
        "city": "Town",
        "postal_code": "12345",
        "country": "IE",
    },
}

Ask = Callable[[], "Answer"]


class Answer(NamedTuple):
    status: int
    retry_after: float
    body: Any
    seconds: float


class Round(NamedTuple):
    """Orders a second, alone and beside those who wait, and the seconds that those waited."""

    alone: float
    beside: float
    waited: Sequence[float]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=200)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with servers(LIMIT_ORDERS_PER_MINUTE="0", MAX_OPEN_ORDERS="0", WEB_CONCURRENCY="1"):
        _stock_up()
        web = plan.procfile(ROOT / "Procfile")["web"]
        with serving(web) as (url, _), ThreadPoolExecutor(given.waiting) as crowd:
            port = urlsplit(url).port or 0
            clients = _those_who_wait(port, given.waiting)
            _orders_placed(port, 2)  # connections are open and code is warm
            rounds = [_round(port, crowd, clients, given.seconds) for _ in range(given.rounds)]
    _report(rounds)


def _stock_up() -> None:
    from models import catalogue  # noqa: PLC0415 - after the environment is set
    from models.session import transaction  # noqa: PLC0415
    from tasks import database_app  # noqa: PLC0415

    with database_app.app_context(), transaction() as session:
        catalogue.create(
            session,
            sku="TSHIRT-BLUE",
            title="Blue T-shirt",
            unit_price_minor=1999,
            currency="EUR",
            stock=10**9,
            who="benchmark",
        )


def _those_who_wait(port: int, number: int) -> list[Ask]:
    """Half of them wait for an order, half for a payment, each for their own."""
    buyer = HTTPConnection(HOST, port)
    orders = [_ask(buyer, "POST", "/orders/create/", _ORDER).body for _ in range(number)]
    kinds = cycle((_look, _start_payment))
    return [
        kind(HTTPConnection(HOST, port), order) for kind, order in zip(kinds, orders, strict=False)
    ]


def _look(client: HTTPConnection, order: Mapping[str, Any]) -> Ask:
    path = f"/orders/{order['id']}/?wait={WAIT_SECONDS}"
    known = {"Authorization": f"Bearer {order['token']}"}
    return lambda: _ask(client, "GET", path, **known)


def _start_payment(client: HTTPConnection, order: Mapping[str, Any]) -> Ask:
    path = f"/orders/start-payment/{order['id']}/"
    known = {"Authorization": f"Bearer {order['token']}", "Prefer": f"wait={WAIT_SECONDS}"}
    return lambda: _ask(client, "POST", path, {}, **known)


def _round(port: int, crowd: ThreadPoolExecutor, clients: Sequence[Ask], seconds: float) -> Round:
    alone = _orders_placed(port, seconds)
    done, waited = threading.Event(), [list[float]() for _ in clients]
    waiting = [
        crowd.submit(_wait_on_and_on, client, done, own)
        for client, own in zip(clients, waited, strict=True)
    ]
    _await_all_but(_SEATS, waited)
    beside = _orders_placed(port, seconds)
    done.set()
    for each in waiting:
        each.result()
    return Round(alone / seconds, beside / seconds, [each for own in waited for each in own])


def _wait_on_and_on(ask: Ask, done: threading.Event, waited: list[float]) -> None:
    while not done.is_set():
        answer = ask()
        waited.append(answer.seconds)
        done.wait(answer.retry_after)


def _await_all_but(seated: int, waited: Sequence[Sequence[float]]) -> None:
    """Return when all others have been told for the first time that they cannot wait."""
    while sum(map(bool, waited)) < len(waited) - seated:
        time.sleep(0.1)


def _orders_placed(port: int, seconds: float) -> int:
    """How many orders the buyers placed within so many seconds."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(BUYERS) as buyers:
        return sum(buyers.map(_buy, [port] * BUYERS, [until] * BUYERS))


def _buy(port: int, until: float) -> int:
    client, placed = HTTPConnection(HOST, port), 0
    while time.monotonic() < until:
        answer = _ask(client, "POST", "/orders/create/", _ORDER)
        assert answer.status == 201, answer.body  # noqa: PLR2004
        placed += 1
    client.close()
    return placed


def _ask(
    client: HTTPConnection, method: str, path: str, body: object = None, **headers: str
) -> Answer:
    began = time.perf_counter()
    sent = None if body is None else json.dumps(body)
    client.request(method, path, sent, {"Content-Type": "application/json", **headers})
    response = client.getresponse()
    answered = json.loads(response.read())
    retry_after = float(response.headers.get("Retry-After", 1))
    return Answer(response.status, retry_after, answered, time.perf_counter() - began)


def _report(rounds: Sequence[Round]) -> None:
    print(f"{'alone':>8}{'beside':>8}{'ratio':>7}   orders a second")
    for each in rounds:
        print(f"{each.alone:8.0f}{each.beside:8.0f}{each.beside / each.alone:7.2f}")
    ratio = statistics.median(each.beside / each.alone for each in rounds)
    print(f"The median ratio is {ratio:.2f}; it may be {LEAST_RATIO} at least.")
    waited = [seconds for each in rounds for seconds in each.waited]
    away = sorted(seconds for seconds in waited if seconds < WAIT_SECONDS)
    most = away[len(away) * 99 // 100]
    print(f"{len(waited) - len(away)} requests waited their time.")
    print(
        f"{len(away)} found no seat and were answered within {statistics.median(away):.3f} s"
        f" (median), {most:.3f} s (99 %)."
    )


if __name__ == "__main__":
    main()
