"""The whole product as `make up` starts it, and a client that buys from it over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
import requests

from tests.shop import order_body

ROOT = Path(__file__).parents[2]
_SERVERS = ("DATABASE_", "REDIS_", "CELERY_", "STRIPE_", "PAYPAL_", "SMTP_")
_GIVEN = (*_SERVERS, "APP_ENV", "INSTANCE", "PAYMENT_", "START_")


class Product:
    """Started by `with`, with settings of its own; what it started is gone afterwards."""

    settles_in_seconds = 60

    def __init__(
        self, directory: Path, *, procfile: Path = ROOT / "Procfile", **environment: str
    ) -> None:
        self._directory = directory / "var"
        self._procfile = procfile
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_GIVEN)
        } | environment

    def __enter__(self) -> Self:
        self._runner("up")
        return self

    def __exit__(self, *_: object) -> None:
        self._runner("reset")

    @property
    def run(self) -> dict[str, Any]:
        """What `var/run.json` says now."""
        run: dict[str, Any] = json.loads((self._directory / "run.json").read_text())
        return run

    @property
    def secret_key(self) -> str:
        """The shop's secret key at the provider."""
        return self._kept("STRIPE_SECRET_KEY")

    @property
    def instance(self) -> str:
        """What its keys in Redis begin with, after "orders"."""
        return self._kept("INSTANCE")

    def _kept(self, name: str) -> str:
        return str(json.loads((self._directory / "secrets.json").read_text())[name])

    def order(self) -> str:
        """Walk one order through the product as `make order` does; what it prints."""
        return self._runner("order")

    def logs(self) -> str:
        """Everything that any process has written to its log."""
        return "\n".join(file.read_text(errors="replace") for file in self._log_files())

    def _last_words(self) -> str:
        """The end of every log."""
        return "\n".join(
            "\n".join([f"--- {file.name}", *file.read_text(errors="replace").splitlines()[-20:]])
            for file in self._log_files()
        )

    def _log_files(self) -> list[Path]:
        return [*(self._directory / "log").iterdir(), self._directory / "runner.log"]

    def post(self, path: str, **options: Any) -> requests.Response:
        return requests.post(self.run["base_urls"]["web"] + path, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.run["base_urls"]["web"] + path, timeout=30, **options)

    def place(self, sku: str = "TSHIRT-BLUE", quantity: int = 1, **changes: Any) -> dict[str, Any]:
        answer = self.post("/orders/create/", json=order_body(sku, quantity, **changes))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def start_payment(
        self, order: Mapping[str, Any], method: str | None = None, **headers: str
    ) -> dict[str, Any]:
        """Start the order's payment and follow it until what the buyer needs is there."""
        headers |= {"Authorization": f"Bearer {order['token']}"}
        path = f"/orders/start-payment/{order['id']}/"
        chosen = {"payment_method": method} if method else {}
        answer = self.post(path, json=chosen, headers=headers)
        while answer.status_code == 202:
            time.sleep(0.1)
            answer = self.get(answer.headers["Location"], headers=headers)
            if answer.json()["status"] in ("created", "sent", "unknown"):
                answer.status_code = 202
                answer.headers["Location"] = f"/orders/payments/{answer.json()['payment_id']}/"
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pay(self, payment: Mapping[str, Any]) -> None:
        """Pay as a browser does."""
        secret: str = payment["client_secret"]
        answer = requests.post(
            f"{self.run['base_urls']['provider']}/v1/payment_intents/"
            f"{secret.partition('_secret_')[0]}/confirm",
            data={
                "client_secret": secret,
                "payment_method": "pm_card_visa",
                "return_url": "http://127.0.0.1/back",
            },
            headers={"Authorization": f"Bearer {payment['publishable_key']}"},
            timeout=30,
        )
        answer.raise_for_status()

    def buy(self, **changes: Any) -> dict[str, Any]:
        """Order, start the payment and pay."""
        order = self.place(**changes)
        self.pay(self.start_payment(order))
        return order

    def status(self, order: Mapping[str, Any]) -> str:
        headers = {"Authorization": f"Bearer {order['token']}"}
        return str(self.get(f"/orders/{order['id']}/", headers=headers).json()["status"])

    def mails(self, recipient: str) -> list[dict[str, Any]]:
        mails = requests.get(f"{self.run['base_urls']['mail']}/messages", timeout=30).json()
        listed = mails["data"] if isinstance(mails, dict) else mails
        return [mail for mail in listed if recipient in str(mail["to"])]

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.run["database_url"], autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the product to settle; fails with the ends of its logs, if it does not."""
        deadline = time.monotonic() + self.settles_in_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not settled: {what}\n{self._last_words()}")
            time.sleep(0.1)

    def pid(self, name: str) -> int:
        """The process of this name, which may just be coming back."""
        self.until(lambda: name in self.run["pids"], f"{name} runs")
        return int(self.run["pids"][name])

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a process in its tracks: connections stay open and nothing answers."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """Kill a process; the runner restarts it."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.run["pids"].get(name, pid) != pid, f"{name} is restarted")

    def _runner(self, verb: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "sandbox.runner", verb),
                f"--directory={self._directory}",
                f"--procfile={self._procfile}",
            ],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
