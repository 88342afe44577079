"""The whole product, with a database, a broker and lines between them that can break."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from sandbox.embedded import Server
from sandbox.servers import PostgreSQL, Valkey
from tests.faults.clerk import Clerk
from tests.faults.load import Buyer
from tests.faults.outside import Outside
from tests.faults.proxy import Proxy
from tests.shop import signature
from tests.wiring.product import ROOT

_INSTANCE = "faults"
_BRPOP_SECONDS = 1  # kombu's
QUEUE = "orders:faults:{}"
"""The name of a queue's list in Redis."""


class Harness(Outside):
    """A product whose servers and lines the test owns; `buyers` are all that ever bought."""

    postgresql: PostgreSQL
    valkey: Valkey
    web_to_database: Proxy
    web_to_broker: Proxy
    worker_to_database: Proxy
    worker_to_mail: Proxy
    worker_to_provider: Proxy

    def __init__(self, directory: Path, *, settles_in_seconds: int, **environment: Any) -> None:
        super().__init__(directory, **environment)
        self.settles_in_seconds = settles_in_seconds
        self.buyers: list[Buyer] = []
        self.reported: set[str] = set()
        """Broken promises that a test has failed for; the next ones need not."""
        self._numbers = count()

    # --- who buys ---

    def buyer(self) -> Buyer:
        """Somebody new, known to the checks from now on."""
        urls, number = self.run["base_urls"], next(self._numbers)
        email = f"buyer-{number}@faults.example"
        buyer = Buyer(urls["web"], urls["provider"], email, patience=self.settles_in_seconds)
        self.buyers.append(buyer)
        return buyer

    # --- who works here ---

    @cached_property
    def clerk(self) -> Clerk:
        """The member of staff that the seed has made."""
        kept = json.loads((self._directory / "secrets.json").read_text())
        web = self.run["base_urls"]["web"]
        return Clerk(web, kept["STAFF_EMAIL"], kept["STAFF_PASSWORD"])

    # --- the broker ---

    @contextmanager
    def broker(self) -> Iterator["redis.Redis"]:
        """A client of the database that holds the queues."""
        with redis.Redis.from_url(self.run["broker_url"], socket_timeout=10) as client:
            yield client

    def wipe_redis(self) -> None:
        with self.broker() as client:
            client.flushall()

    def queued(self, queue: str) -> list[bytes | str]:
        """The messages that wait in a queue."""
        with self.broker() as client:
            return client.lrange(QUEUE.format(queue), 0, -1)

    @contextmanager
    def deaf(self, worker: str) -> Iterator[None]:
        """Freeze a worker and let its present wait for a message end: the next ones are queued."""
        with self.frozen(worker):
            time.sleep(_BRPOP_SECONDS + 0.5)
            yield

    # --- processes ---

    def children(self, name: str) -> list[int]:
        """The processes that a process of the product has forked."""
        pid = self.pid(name)
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def kill_web(self) -> None:
        """Kill whatever answers requests; gunicorn, their parent, forks anew."""
        for child in self.children("web"):
            os.kill(child, signal.SIGKILL)

    @contextmanager
    def killing(self, name: str) -> Iterator[Callable[[], None]]:
        """A shot at a process, to be fired in the block; at its end the process is back."""
        pid = self.pid(name)
        yield lambda: os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.run["pids"].get(name, pid) != pid, f"{name} is restarted")

    @contextmanager
    def another(
        self, like: str, *command: str, **changes: str
    ) -> Iterator["subprocess.Popen[str]"]:
        """A further process, in the environment of one of the product; killed at the end."""
        told = Path(f"/proc/{self.pid(like)}/environ").read_text().rstrip("\0").split("\0")
        environment = dict(variable.split("=", 1) for variable in told) | changes
        log = self._directory / "log" / "another.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                [*(sys.executable, "-m"), *command],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def tell_gullible(self, guard: str, event: Mapping[str, Any], **how: Any) -> int:
        """Deliver it, as `send` does, to a web process without a guard; its status in hundreds."""
        body = json.dumps(event).encode()
        path = self._directory / "event.json"
        path.write_bytes(body)
        signed = signature(body, **{"secret": self.run["webhook_secret"], **how})
        words = ("tests.faults.gullible", guard, str(path), signed["Stripe-Signature"])
        with self.another("web", *words) as process:
            return process.wait(timeout=60)

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self._directory / "log" / f"{name}.log").read_text(errors="replace")

    # --- the database ---

    def restart_database(self, signum: signal.Signals) -> None:
        """End it at once, by SIGKILL or SIGQUIT (immediate), and start it again."""
        assert self.postgresql.pid is not None
        os.kill(self.postgresql.pid, signum)
        self.until(lambda: not self.postgresql.running, "the database is down")
        self.postgresql.start()

    @contextmanager
    def database(self) -> Iterator[Session]:
        """A transaction of the test's own with the product's database."""
        engine = create_engine(self.run["database_url"].replace("://", "+psycopg://", 1))
        with Session(engine) as session, session.begin():
            yield session
        engine.dispose()

    def let_pass(self, hours: float) -> None:
        """Move the clocks of the database and of the provider on, which nobody sets back."""
        self.sql(
            "INSERT INTO clock_offset (id, shift) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET shift = clock_offset.shift + excluded.shift",
            timedelta(hours=hours),
        )
        self.move_providers_clock(round(hours * 3600))

    def job(self, kind: str, order_id: int) -> dict[str, Any]:
        """The newest job of a kind for an order."""
        columns = ("id", "state", "attempts", "lease_owner", "last_error")
        rows = self.sql(
            f"SELECT {', '.join(columns)} FROM job WHERE kind = %s AND order_id = %s"
            " ORDER BY id DESC LIMIT 1",
            kind,
            order_id,
        )
        return dict(zip(columns, rows[0], strict=True)) if rows else {}


@contextmanager
def started(
    directory: Path, profile: Mapping[str, str], settles_in_seconds: int
) -> Iterator[Harness]:
    """The product with these settings, running; everything of it is gone afterwards."""
    with ExitStack() as stack:
        # Power cuts are not tried here, so nothing waits for the disk.
        postgresql = PostgreSQL(
            directory / "postgresql", options={"fsync": "off", "full_page_writes": "off"}
        )
        stack.callback(postgresql.destroy)
        valkey = stack.enter_context(Valkey(directory / "valkey"))
        postgresql.start()
        lines = {
            name: stack.enter_context(Proxy(_port_of(server)))
            for name, server in {
                "web_to_database": postgresql,
                "web_to_broker": valkey,
                "worker_to_database": postgresql,
            }.items()
        }
        mail = stack.enter_context(Proxy(lambda: _port(harness.run["smtp_url"])))
        provider = stack.enter_context(Proxy(lambda: _port(harness.run["base_urls"]["provider"])))
        broker_url = valkey.url.removesuffix("0") + "1"
        procfile = _procfile(
            directory / "Procfile",
            web={
                "DATABASE_URL": _through(lines["web_to_database"], postgresql.url),
                "CELERY_BROKER_URL": _through(lines["web_to_broker"], broker_url),
            },
            worker_payments={
                "DATABASE_URL": _through(lines["worker_to_database"], postgresql.url),
                "STRIPE_API_BASE": f"http://127.0.0.1:{provider.port}",
            },
            worker_mail={"SMTP_URL": f"smtp://127.0.0.1:{mail.port}"},
        )
        harness = Harness(
            directory,
            procfile=procfile,
            INSTANCE=_INSTANCE,
            DATABASE_URL=postgresql.url,
            REDIS_URL=valkey.url,
            CELERY_BROKER_URL=broker_url,
            WEB_CONCURRENCY="2",
            settles_in_seconds=settles_in_seconds,
            **profile,
        )
        harness.postgresql, harness.valkey = postgresql, valkey
        harness.worker_to_mail, harness.worker_to_provider = mail, provider
        for name, line in lines.items():
            setattr(harness, name, line)
        yield stack.enter_context(harness)


def _port_of(server: Server) -> Callable[[], int]:
    return lambda: server.port


def _port(url: str) -> int:
    """Where something listens, which is known once the product runs."""
    return urlsplit(url).port or 0


def _through(line: Proxy, url: str) -> str:
    return re.sub(r":\d+/", f":{line.port}/", url)


def _procfile(path: Path, **changes: Mapping[str, str]) -> Path:
    """The product's own Procfile, with changed variables for some of its processes."""
    text = (ROOT / "Procfile").read_text()
    for name, variables in changes.items():
        words = " ".join(shlex.quote(f"{key}={value}") for key, value in variables.items())
        text, found = re.subn(rf"^{name}: ", f"{name}: env {words} ", text, flags=re.MULTILINE)
        assert found == 1, name
    path.write_text(text)
    return path
