"""The product as in production, on servers with full durability: all of it, or its web alone."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg
import requests

import settings
from benchmarks import load
from benchmarks.parties import Parties
from benchmarks.servers import ROOT, servers
from sandbox.embedded import HOST, free_port
from sandbox.runner import plan
from sandbox.runner.stack import Stack
from sandbox.servers import PostgreSQL

PROCESSES = 2
"""Of web, and of clients: as many as there are cores."""
WARM_SECONDS = 2
SKUS = 1000
# What a client may ask for is counted, but no client of a benchmark is ever told to wait.
# Lines are logged as in production.
PATIENT = {
    "LIMIT_ORDERS_PER_MINUTE": "1000000",
    "MAX_OPEN_ORDERS": "1000000",
    "TRUSTED_PROXIES": "1",
    "STRIPE_REQUESTS_PER_SECOND": "100000",
    "LOG_FORMAT": "json",
}
_COUNTING = {"shared_preload_libraries": "pg_stat_statements"}
STOCK = f"""
INSERT INTO stock_item (sku, title, unit_price_minor, currency, stock, held, is_unique, status,
                        created_at)
SELECT 'SKU-' || number, 'Blue T-shirt', 1999, 'EUR', 100000000, 0, false, 'available',
       clock_timestamp() FROM generate_series(0, {SKUS - 1}) AS number;
INSERT INTO stock_movement (item_id, stock_delta, held_delta, reason, who, at)
SELECT id, stock, 0, 'created', 'benchmark', clock_timestamp() FROM stock_item;
ANALYZE stock_item, stock_movement
"""  # noqa: S608


class Web(NamedTuple):
    """A web server, and what a client of it needs to know."""

    url: str
    database_url: str
    told: dict[str, Any]
    parties: Parties

    def load(
        self, script: str, *, clients: int, seconds: float, processes: int = PROCESSES, **more: Any
    ) -> load.Seen:
        """What so many clients see who follow a script of `benchmarks.scripts`."""
        return load.run(
            script, clients=clients, seconds=seconds, processes=processes, **{**self.told, **more}
        )


@contextmanager
def web(processes: int, threads: int = 16) -> Iterator[Web]:
    """The web of the Procfile without workers, and a catalogue."""
    secret, instance = "whsec_of_the_benchmark", "bench"
    environment = {
        **PATIENT,
        "WEB_CONCURRENCY": str(processes),
        "WEB_THREADS": str(threads),
        "STRIPE_WEBHOOK_SECRET": secret,
        "INSTANCE": instance,
        "LOG_LEVEL": "INFO",
    }
    with (
        servers(_COUNTING, environment) as (postgresql, valkey),
        serving(plan.procfile(ROOT / "Procfile")["web"]) as (url, pid),
    ):
        _stock_up(postgresql.url)
        told = _told(url, postgresql.url, secret, instance)
        parties: Parties = {
            "web": [pid],
            "PostgreSQL": [postgresql.pid],
            "Valkey": [valkey.pid],
        }
        yield Web(url, postgresql.url, told, parties)


@contextmanager
def serving(command: Sequence[str], **changes: str) -> Iterator[tuple[str, int]]:
    """A web server, once it answers; where, and its process id."""
    port = free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = settings.environment(PATH=path, PORT=str(port), WEB_BIND=HOST, **changes)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
        try:
            while not _answers(port):
                assert process.poll() is None, _all_of(log)
                time.sleep(0.1)
            yield f"http://{HOST}:{port}", process.pid
        finally:
            process.terminate()
            process.wait(timeout=40)


@contextmanager
def whole(**environment: str) -> Iterator[Web]:
    """Everything that `make run` starts, with its provider, and a catalogue."""
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        instance = "bench"
        told_to_all = {"WEB_APP": "web:create_app()", "INSTANCE": instance}
        os.environ.update({**PATIENT, **told_to_all, **environment})
        running = Stack(var, ROOT / "Procfile", lambda _: None, lambda: False)
        stack.callback(PostgreSQL(var / "postgresql").destroy)
        stack.callback(running.stop)
        running.start(seed=False)
        state = running.state()
        _stock_up(state["database_url"])
        told = _told(
            state["base_urls"]["web"] or "",
            state["database_url"],
            state["webhook_secret"],
            instance,
        )
        told["provider_url"] = state["base_urls"]["provider"]
        told["control_url"] = state["provider_control_url"]
        told["mail_control_url"] = state["mail_control_url"]
        told["publishable_key"] = state["publishable_key"]
        parties = {name: [pid] for name, pid in state["pids"].items() if name != "runner"}
        yield Web(told["url"], state["database_url"], told, parties)


def slow_down_the_provider(told: dict[str, Any], seconds: float) -> None:
    """Have the stand-in take so long over each payment that it opens, if it is for any time."""
    fault = {"endpoint": "payment_intents.create", "fault": "delay", "times": 1_000_000}
    _set_fault(told["control_url"], fault, seconds)


def slow_down_the_mail(told: dict[str, Any], seconds: float) -> None:
    """Have the mail server take so long over each mail, if it is for any time."""
    _set_fault(told["mail_control_url"], {"kind": "delay"}, seconds)


def _set_fault(control_url: str, fault: dict[str, Any], seconds: float) -> None:
    requests.delete(f"{control_url}/faults", timeout=10).raise_for_status()
    if seconds:
        told = {**fault, "seconds": seconds}
        requests.post(f"{control_url}/faults", json=told, timeout=10).raise_for_status()


def _told(url: str, database_url: str, secret: str, instance: str) -> dict[str, Any]:
    from providers.stripe import API_VERSION  # noqa: PLC0415 - after the environment is set

    return {
        "url": url,
        "database_url": database_url,
        "skus": SKUS,
        "webhook_secret": secret,
        "app": f"orders-{instance}",
        "api_version": API_VERSION,
        "run": str(time.monotonic_ns()),
    }


def _stock_up(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(STOCK)
        loaded = database.execute("SHOW shared_preload_libraries").fetchone()
        if loaded and loaded[0]:
            database.execute("CREATE EXTENSION pg_stat_statements")


def _all_of(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode()


def _answers(port: int) -> bool:
    client = HTTPConnection(HOST, port, timeout=5)
    try:
        client.request("GET", "/healthz")
        client.getresponse().read()
    except OSError:
        return False
    finally:
        client.close()
    return True
