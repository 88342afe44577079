"""Each hot path of the product beside its floor, measured in one run on one machine.

`python -m benchmarks.paths NAME --seconds S` prints the path's rows as JSON; `make bench` runs them
all. A path runs in a process of its own, as its environment says where its servers are.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks import load, pgbench, rows
from benchmarks.load import Seen
from benchmarks.product import PROCESSES, WARM_SECONDS, serving, web
from benchmarks.rows import Row, percentiles
from benchmarks.stories import booked, paced, story
from benchmarks.watching import watching

_BARE = (
    "gunicorn --no-control-socket --worker-class gthread --workers {processes} --threads 16"
    ' --bind 127.0.0.1:$PORT --keep-alive 75 "benchmarks.bare:create_app()"'
)


def create(seconds: float) -> list[Row]:
    """Orders of three lines, by 8 and by 32 clients."""
    found = []
    with web(PROCESSES) as product:
        product.load("create", clients=8, seconds=WARM_SECONDS)
        for clients in (8, 32):
            floor = pgbench.orders_a_second(
                product.database_url, clients=clients, seconds=seconds / 2
            )
            with watching(product.parties, product.database_url) as watched:
                seen = product.load("create", clients=clients, seconds=seconds)
            after = pgbench.orders_a_second(
                product.database_url, clients=clients, seconds=seconds / 2
            )
            found.append(
                rows.of(
                    f"create order, {clients} clients", seen, (floor + after) / 2, 0.20, watched
                )
            )
    return found


def http(seconds: float) -> list[Row]:
    """The least that the product answers, beside a bare endpoint on the same server."""
    with web(PROCESSES) as product, serving(_bare()) as (url, _):
        seen = product.load("look", clients=16, seconds=seconds, paths=["/healthz"])
        bare = load.run(
            "look",
            clients=16,
            seconds=seconds,
            processes=PROCESSES,
            url=url,
            paths=["/healthz"],
        )
    return [rows.of("HTTP: liveness", seen, bare.rate, None)]


def webhook(seconds: float) -> list[Row]:
    """An event stored and acknowledged, beside a bare endpoint that inserts one row."""
    with web(PROCESSES) as product, serving(_bare()) as (url, _):
        own = {**product.told, "url": url}
        product.load("acknowledge", clients=16, seconds=WARM_SECONDS)
        bare = _bare_acknowledge(own, seconds)
        with watching(product.parties, product.database_url) as watched:
            seen = product.load("acknowledge", clients=16, seconds=seconds)
        half = seen.rate / 2
        calm = product.load("acknowledge", clients=32, seconds=seconds, rate=half)
        calm_bare = _bare_acknowledge(own, seconds, rate=half)
    p99 = calm_bare.percentile(99) / max(calm.percentile(99), 0.001)
    said = f"{calm.percentile(99):.1f} ms, bare {calm_bare.percentile(99):.1f} ms"
    return [
        rows.of("webhook acknowledged", seen, bare.rate, 0.30, watched),
        Row(
            name="webhook p99 at half load, bare ÷ ours",
            rate=p99,
            floor=1.0,
            least=0.25,
            percentiles=percentiles(calm),
            said=said,
        ),
    ]


def _bare_acknowledge(told: Mapping[str, Any], seconds: float, **more: Any) -> Seen:
    clients = 32 if more else 16
    return load.run(
        "acknowledge", clients=clients, seconds=seconds, processes=PROCESSES, **more, **told
    )


def _bare() -> list[str]:
    return ["sh", "-c", f"exec {_BARE.format(processes=PROCESSES)}"]


PATHS: dict[str, Callable[[float], list[Row]]] = {
    each.__name__: each for each in (create, http, webhook, booked, story, paced)
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("path", choices=PATHS)
    options.add_argument("--seconds", type=float, default=10)
    given = options.parse_args()
    print(json.dumps([asdict(row) for row in PATHS[given.path](given.seconds)]))


if __name__ == "__main__":
    main()
