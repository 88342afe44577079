"""`make run` and its kin, with a pretended product: what starts, restarts, stops, stays behind."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

import settings
from sandbox.runner import state
from sandbox.runner.configuration import KEPT, STANDS_IN_FOR
from tests.sandbox.watching import command_line, eventually, is_alive

ROOT = Path(__file__).parents[2]
_SECONDS = 60
_GIVEN = {
    "DATABASE_URL": "postgresql://somebody@127.0.0.1:1/theirs",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/7",
    "REDIS_URL": "redis://127.0.0.1:1/3",
    "STRIPE_SECRET_KEY": "sk_test_theirs",
    "SMTP_URL": "smtp://127.0.0.1:1",
}


class Product:
    """A pretended product in `directory`, to be run by the real runner."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.var = directory / "with space" / "var"
        self.procfile = directory / "Procfile"
        self.kinds: tuple[str, ...] = ()
        self.given: dict[str, str] = {}
        self._started: list[subprocess.Popen[str]] = []
        self.write_procfile("worker", "beat", "web")

    def write_procfile(self, *kinds: str, release: str = "true") -> None:
        self.kinds = kinds
        lines = [f"{kind}: {self._pretend(kind)}" for kind in kinds]
        self.procfile.write_text("\n".join([f"release: {release}", *lines]) + "\n")

    def _pretend(self, kind: str) -> str:
        return f"python -m tests.sandbox.pretend {kind} '{self.directory}'"

    def runner(self, verb: str) -> subprocess.Popen[str]:
        """Start a verb of the runner as a process of its own."""
        options = [f"--directory={self.var}", f"--procfile={self.procfile}", "--no-seed"]
        nothing = dict.fromkeys([*chain(*STANDS_IN_FOR.values()), *KEPT], "")
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.runner", verb, *options],
            cwd=ROOT,
            env=settings.environment(**{**nothing, "APP_ENV": "test", **self.given}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def obey(self, verb: str) -> tuple[int, str]:
        """The exit code and the words of a verb that ends by itself."""
        process = self.runner(verb)
        words, _ = process.communicate(timeout=_SECONDS)
        return process.returncode, words

    def run(self) -> subprocess.Popen[str]:
        """`run`, until it is ready."""
        process = self.runner("run")
        assert eventually(lambda: self.state() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        assert eventually(self.is_listening)
        return process

    def state(self) -> dict[str, Any] | None:
        return state.read(self.var)

    def pids(self) -> dict[str, int]:
        found = self.state()
        return found["pids"] if found else {}

    def is_listening(self) -> bool:
        """Whether each program that the runner names is there to be asked to end."""
        pids = self.pids()
        return all(self.noted(kind) == pids.get(kind, 0) for kind in self.kinds)

    def noted(self, name: str) -> int | None:
        """The process id that a pretended program wrote down, if it did yet."""
        note = self.directory / f"{name}.pid"
        return int(note.read_text()) if note.exists() else None

    def logs(self) -> str:
        files = [*self.var.glob("log/*"), *self.var.glob("*.log")]
        return "\n".join(file.read_text() for file in files)

    def clean_up(self) -> None:
        if self.var.exists():
            self.obey("reset")
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    pretended = Product(tmp_path)
    yield pretended
    pretended.clean_up()


@pytest.fixture
def given(product: Product) -> Product:
    """A product whose outside world is given, so that no stand-in runs."""
    product.given = _GIVEN
    return product


def end(process: subprocess.Popen[str], signum: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(signum)
    words, _ = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0, words
    return words


def test_a_run_starts_all_restarts_what_dies_and_leaves_nothing(product: Product) -> None:
    running = product.run()
    ready = product.state()
    assert ready
    before = product.pids()
    assert set(before) == {
        *("postgresql", "valkey", "provider", "paypal", "mail", "worker", "beat", "web", "runner")
    }
    assert stat.S_IMODE((product.var / "run.json").stat().st_mode) == 0o600
    with psycopg.connect(ready["database_url"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    for name in ("postgresql", "worker", "mail"):
        os.kill(before[name], signal.SIGKILL)

    assert eventually(lambda: product.pids().keys() == before.keys() and _all_new(product, before))

    assert eventually(product.is_listening)
    assert not is_alive(before["worker"])
    with psycopg.connect(ready["database_url"]) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
    assert eventually(lambda: _answers(ready["base_urls"]["mail"]))
    assert all(_answers(ready["base_urls"][name]) for name in ("provider", "paypal"))
    after = product.pids()
    child = product.noted("child")
    assert child
    words = end(running, signal.SIGINT)
    assert not any(map(is_alive, [*after.values(), child]))
    assert not (product.var / "run.json").exists()
    ends = (product.directory / "ends").read_text().split()
    assert set(ends[:2]) == {"beat", "web"}, "no new work comes in while the workers finish"
    assert ends[2:] == ["worker"]
    _assert_kept_secret(ready, words, product.logs())


def _all_new(product: Product, before: dict[str, int]) -> bool:
    return all(product.pids()[name] != before[name] for name in ("postgresql", "worker", "mail"))


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def _assert_kept_secret(ready: dict[str, Any], words: str, logs: str) -> None:
    """The terminal shows the staff's password, and no log shows that or any other secret."""
    password = ready["staff"]["password"]
    assert password in words
    database_password = ready["database_url"].rpartition("@")[0].rpartition(":")[2]
    for secret in (password, database_password, ready["webhook_secret"]):
        assert secret not in logs


def test_the_printed_curl_orders_what_the_shop_has(given: Product) -> None:
    words = end(given.run())
    command = words[words.index("curl -s") : words.index("\n\nSTRIPE_WEBHOOK_SECRET")]
    arguments = subprocess.run(
        ["sh", "-c", f"set -- {command}; printf '%s\\n' \"$@\""],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    order = json.loads(arguments[-1])
    assert order["items"] == [
        {
            "product_sku": "TSHIRT-BLUE",
            "product_title": "Painter's shirt",
            "unit_price": "19.99",
            "quantity": 1,
        }
    ]


def test_a_killed_runner_leaves_nothing_behind(given: Product) -> None:
    given.write_procfile("web", "stubborn")
    running = given.run()
    child = given.noted("child")
    assert child
    pids = [*given.pids().values(), child]
    assert all(map(is_alive, pids))

    running.kill()

    assert eventually(lambda: not any(map(is_alive, pids)))
    assert given.state() is None
    assert given.obey("down") == (0, "Nothing runs here.\n")


def test_up_runs_in_the_background_until_down(given: Product) -> None:
    code, words = given.obey("up")
    assert code == 0, words
    pids = given.pids()
    ready = given.state()
    assert ready
    assert ready["staff"]["password"] in words
    assert ready["staff"]["password"] not in given.logs()

    assert "runs already" in given.obey("up")[1]
    code, words = given.obey("run")
    assert code == 1
    assert "runs already" in words
    assert given.pids() == pids

    assert given.obey("down")[0] == 0
    assert not any(map(is_alive, pids.values()))
    assert given.state() is None


def test_what_is_given_is_used_and_not_stood_in_for(given: Product) -> None:
    running = given.run()
    ready = given.state()
    assert ready
    assert set(ready["pids"]) == {"worker", "beat", "web", "runner"}
    assert ready["database_url"] == _GIVEN["DATABASE_URL"]
    assert ready["redis_url"] == _GIVEN["REDIS_URL"]
    assert ready["broker_url"] == _GIVEN["CELERY_BROKER_URL"]
    assert ready["smtp_url"] == _GIVEN["SMTP_URL"]
    assert ready["base_urls"]["provider"] == "https://api.stripe.com"
    assert ready["provider_control_url"] is None
    assert ready["base_urls"]["paypal"] is None
    assert ready["base_urls"]["mail"] is None
    lines = "\n".join(map(command_line, ready["pids"].values()))
    assert _GIVEN["STRIPE_SECRET_KEY"] not in lines
    assert "STRIPE_WEBHOOK_SECRET is missing" in end(running)


def test_a_failed_release_is_shown_and_nothing_runs_on(given: Product) -> None:
    given.write_procfile("web", release="sh -c 'echo no such table; exit 3'")
    code, words = given.obey("up")
    assert code == 1
    assert "no such table" in words
    assert given.state() is None
    assert not (given.directory / "web.pid").exists()


def test_production_is_refused(given: Product) -> None:
    given.given = {"APP_ENV": "production"}
    code, words = given.obey("run")
    assert code == 1
    assert "APP_ENV is production" in words


def test_an_order_without_a_product_fails_loudly(given: Product) -> None:
    code, words = given.obey("order")
    assert code == 1
    assert "Nothing runs here" in words


def test_reset_stops_and_deletes(given: Product) -> None:
    given.run()
    pids = given.pids()
    assert given.obey("reset")[0] == 0
    assert not any(map(is_alive, pids.values()))
    assert not given.var.exists()
