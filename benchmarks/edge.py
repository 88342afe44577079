"""What the layers around `POST /orders/create/` cost, beside a bare Flask endpoint, in one run.

`python -m benchmarks.edge [--requests 200] [--rounds 9]` calls the WSGI app in this process, with
a real PostgreSQL and Valkey behind it, and prints CPU time by `time.process_time`, which other
work on the machine hardly changes. Each call places an order of five lines. The clock of the
models runs while a verb of theirs or a transaction's begin and commit is at work; all the rest of
a request is the edge: routing, validation, who calls, limits (in Valkey), idempotency,
serialisation, headers, figures. Not in it is the server's own work: sockets, HTTP, its log.

The bare endpoint reads the same body as JSON and answers with it. It is the first term of the
comparison, not a goal: what is printed last is the edge without what Flask itself costs. All are
called in turn, one request of each: alone in a loop, the bare endpoint would have the processor's
caches for itself, which nobody has who has just waited for a database.
"""

import argparse
import io
import json
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from flask import Flask, jsonify, request
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder

from benchmarks.servers import servers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

P = ParamSpec("P")
T = TypeVar("T")

LINES = 5
LIMIT_MS = 0.6
_ADDRESS = {"line1": "123 Street", "city": "Town", "postal_code": "12345", "country": "IE"}
_numbers = count()


class Clock:
    """CPU time spent in what it has been told to clock."""

    def __init__(self) -> None:
        self.spent, self.times, self._depth, self._began = 0.0, 0, 0, 0.0

    def reset(self) -> None:
        self.spent, self.times = 0.0, 0

    def own_cost(self) -> float:
        """What clocking something costs, beyond what the clock says it took."""
        began, before = time.process_time(), self.spent
        with self:
            pass
        return time.process_time() - began - (self.spent - before)

    def __enter__(self) -> None:
        if not self._depth:
            self._began = time.process_time()
        self._depth += 1

    def __exit__(self, *_raised: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.spent += time.process_time() - self._began
            self.times += 1

    def clocked(self, verb: Callable[P, T]) -> Callable[P, T]:
        def timed(*args: P.args, **options: P.kwargs) -> T:
            with self:
                return verb(*args, **options)

        return timed


class Spent(NamedTuple):
    """Milliseconds of CPU for one request: all of it, and in the models."""

    whole: float
    models: float = 0.0

    @property
    def edge(self) -> float:
        return self.whole - self.models


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=200)
    options.add_argument("--rounds", type=int, default=9)
    given = options.parse_args()
    with servers(LIMIT_ORDERS_PER_MINUTE="1000000", MAX_OPEN_ORDERS="1000000"):
        clock = Clock()
        calls = _calls(clock)
        _round(calls, clock, 20)  # connections are open and code is warm
        rounds = [_round(calls, clock, given.requests) for _ in range(given.rounds)]
    _report({name: [each[name] for each in rounds] for name in calls})


def _calls(clock: Clock) -> dict[str, Callable[[], None]]:
    from models import api_key, catalogue, user  # noqa: PLC0415 - after the environment is set
    from models.session import transaction  # noqa: PLC0415
    from web import create_app  # noqa: PLC0415

    app = create_app()
    with app.app_context(), transaction() as session:
        for number in range(LINES):
            catalogue.create(
                session,
                sku=f"SKU-{number}",
                title="Blue T-shirt",
                unit_price_minor=1999,
                currency="EUR",
                stock=10**9,
                who="benchmark",
            )
        owner = user.create(
            session,
            email="a@example.com",
            password=secrets.token_urlsafe(),
            role="customer",
            who="x",
        )
        scopes = api_key.CUSTOMER_SCOPES
        _, key = api_key.create(session, owner, name="x", scopes=scopes, days=1, who="x")
    _clock_the_models(clock)
    return {
        "bare Flask": _caller(_bare(), 200),
        "create, as a guest": _caller(app, 201),
        "create, by API key": _caller(app, 201, {"HTTP_AUTHORIZATION": f"Bearer {key}"}),
    }


def _clock_the_models(clock: Clock) -> None:
    """Have the clock run in whatever of the models a request for `create` enters."""
    from models import api_key, idempotency, placing, quick_placing  # noqa: PLC0415
    from models.session import at_once, transaction  # noqa: PLC0415
    from web import callers  # noqa: PLC0415
    from web import orders as web_orders  # noqa: PLC0415

    def clocked(begun: Callable[[], AbstractContextManager[Session]]) -> Any:
        @contextmanager
        def begun_by_the_clock() -> Iterator[Session]:
            whole = begun()
            with clock:
                session = whole.__enter__()
            yield session  # what fails in here ends the benchmark
            with clock:
                whole.__exit__(None, None, None)

        return begun_by_the_clock

    for module, *names in (
        (api_key, "use"),
        (idempotency, "claim", "remember"),
        (placing, "glance", "check", "place"),
        (quick_placing, "place"),
    ):
        for name in names:
            setattr(module, name, clock.clocked(getattr(module, name)))
    callers.at_once = clocked(at_once)  # type: ignore[attr-defined]
    web_orders.at_once = clocked(at_once)  # type: ignore[attr-defined]
    web_orders.transaction = clocked(transaction)  # type: ignore[attr-defined]


def _bare() -> Flask:
    app = Flask("bare")

    @app.post("/orders/create/")
    def create() -> Any:
        return jsonify(request.get_json())

    return app


def _caller(
    app: "WSGIApplication", status: int, known: Mapping[str, str] | None = None
) -> Callable[[], None]:
    """Sends one order to the app, which must answer with this status."""
    body = json.dumps(_order()).encode()
    builder = EnvironBuilder("/orders/create/", method="POST", data=body)
    environ = {**builder.get_environ(), "CONTENT_TYPE": "application/json", **(known or {})}
    statuses: list[str] = []

    def start_response(answered: str, _headers: Any, _error: Any = None) -> Callable[[bytes], Any]:
        statuses.append(answered)
        return lambda _: None

    def call() -> None:
        own = {"wsgi.input": io.BytesIO(body), "HTTP_IDEMPOTENCY_KEY": f"order-{next(_numbers)}"}
        answer = b"".join(app({**environ, **own}, start_response))
        assert statuses.pop().startswith(str(status)), answer

    return call


def _order() -> dict[str, Any]:
    line = {"product_title": "Blue T-shirt", "unit_price": 19.99, "quantity": 2}
    return {
        "guest_email": "guest@example.com",
        "currency": "EUR",
        "items": [{**line, "product_sku": f"SKU-{number}"} for number in range(LINES)],
        "shipping_address": _ADDRESS,
    }


def _round(
    calls: Mapping[str, Callable[[], None]], clock: Clock, times: int
) -> Mapping[str, Spent]:
    """What a call of each costs on average, when they come by turns."""
    whole, models = dict.fromkeys(calls, 0.0), dict.fromkeys(calls, 0.0)
    for _ in range(times):
        for name, call in calls.items():
            clock.reset()
            began = time.process_time()
            call()
            took, spent, times_clocked = time.process_time() - began, clock.spent, clock.times
            whole[name] += took - times_clocked * clock.own_cost()
            models[name] += spent
    return {
        name: Spent(whole=1000 * whole[name] / times, models=1000 * models[name] / times)
        for name in calls
    }


def _report(measured: Mapping[str, list[Spent]]) -> None:
    """Medians over the rounds."""
    bare = statistics.median(each.edge for each in measured["bare Flask"])
    print(f"{'ms of CPU a request':24}{'whole':>8}{'models':>8}{'edge':>8}{'- bare':>8}")
    for name, rounds in measured.items():
        whole, models, edge = (
            statistics.median(getattr(each, part) for each in rounds)
            for part in ("whole", "models", "edge")
        )
        print(f"{name:24}{whole:8.3f}{models:8.3f}{edge:8.3f}{edge - bare:8.3f}")
    print(f"The edge may cost {LIMIT_MS} ms beside bare Flask.")


if __name__ == "__main__":
    main()
