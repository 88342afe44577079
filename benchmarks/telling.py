"""Stories of a shop, told by HTTP to the running product: what becomes of twenty orders."""

import random
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg
import requests

import settings
from benchmarks.product import Web
from benchmarks.servers import ROOT
from benchmarks.stories import await_quiet

LINES = 3
_ADDRESS = {"line1": "123 Street", "city": "Town", "postal_code": "12345", "country": "IE"}
_SCOPES = ("orders:read", "orders:write", "refunds:write", "catalog:write", "jobs:read")
_TIMEOUT_SECONDS = 30


def staff(database_url: str, password: str) -> tuple[str, str]:
    """Add a manager; their address, and a key of theirs."""
    email = "manager@example.com"
    _flask(database_url, "users", "create-staff", email, "--role=manager", f"--password={password}")
    key = _flask(
        database_url,
        "keys",
        "create",
        email,
        "--name=benchmark",
        *[f"--scope={each}" for each in _SCOPES],
    )
    return email, key.split()[-1]


def _flask(database_url: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "web", *words],
        cwd=ROOT,
        env=settings.environment(DATABASE_URL=database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Teller:
    """Buyers, the provider's page and staff."""

    def __init__(self, product: Web, key: str) -> None:
        self._product, self._staff = product, {"Authorization": f"Bearer {key}"}
        self._buyer: Mapping[str, str] = {}

    def tell(self) -> None:
        """All of them once, until nothing is left to be done."""
        paid = [self._paid() for _ in range(4)] + [self._paid("pm_card_chargeDeclined")]
        shipped = [self._shipped(self._paid()) for _ in range(6)]
        self._sign_up()
        bought = [self._shipped(self._paid()) for _ in range(2)]
        for order in bought[:1] + shipped[:2]:
            self._act(f"orders/deliver/{order['id']}/")
        self._refund(shipped[2])
        self._refund(paid[0], amount="19.99")
        cancelled = self._place()
        self._post(f"orders/cancel/{cancelled['id']}/", {}, self._of(cancelled))
        self._expire([self._place() for _ in range(4)] + [self._open()[0]])
        await_quiet(self._product)

    def _place(self) -> dict[str, Any]:
        line = {"product_title": "Blue T-shirt", "unit_price": "19.99", "quantity": 1}
        skus = random.sample(range(self._product.told["skus"]), LINES)
        guest = {} if self._buyer else {"guest_email": f"{secrets.token_hex(6)}@example.com"}
        body = {
            **guest,
            "currency": "EUR",
            "items": [{**line, "product_sku": f"SKU-{sku}"} for sku in skus],
            "shipping_address": _ADDRESS,
        }
        own = {"Idempotency-Key": secrets.token_hex(16), **self._buyer}
        return self._post("orders/create/", body, own)

    def _open(self) -> tuple[dict[str, Any], str]:
        """An order whose payment can be paid, and its secret."""
        order, started = self._place(), dict[str, Any]()
        while not started.get("client_secret"):
            started = self._post(f"orders/start-payment/{order['id']}/", {}, self._of(order))
        return order, started["client_secret"]

    def _paid(self, declined_first: str = "") -> dict[str, Any]:
        order, secret = self._open()
        for method in filter(None, (declined_first, "pm_card_visa")):
            self._confirm(secret, method)
        self._await_state(order, "paid")
        return order

    def _confirm(self, secret: str, method: str) -> None:
        told, intent = self._product.told, secret.partition("_secret_")[0]
        requests.post(
            f"{told['provider_url']}/v1/payment_intents/{intent}/confirm",
            data={"client_secret": secret, "payment_method": method, "return_url": told["url"]},
            headers={"Authorization": f"Bearer {told['publishable_key']}"},
            timeout=_TIMEOUT_SECONDS,
        )

    def _await_state(self, order: Mapping[str, Any], state: str) -> None:
        query = "SELECT EXISTS (SELECT FROM orders WHERE id = %s AND state = %s)"
        with psycopg.connect(self._product.database_url, autocommit=True) as database:
            while not (database.execute(query, (order["id"], state)).fetchone() or (False,))[0]:
                time.sleep(0.02)

    def _shipped(self, order: dict[str, Any]) -> dict[str, Any]:
        self._act(f"orders/ship/{order['id']}/", carrier="Post", tracking_number="RR123456785IE")
        return order

    def _refund(self, order: Mapping[str, Any], **amount: str) -> None:
        url = f"{self._product.url}/orders/{order['id']}/"
        seen = requests.get(url, headers=self._staff, timeout=_TIMEOUT_SECONDS).json()
        self._act(f"orders/refund/{seen['payments'][0]['payment_id']}/", **amount)

    def _expire(self, orders: list[dict[str, Any]]) -> None:
        with psycopg.connect(self._product.database_url, autocommit=True) as database:
            database.execute(
                "UPDATE orders SET expires_at = clock_timestamp() WHERE id = ANY (%s)",
                ([order["id"] for order in orders],),
            )
        for order in orders:
            self._await_state(order, "expired")

    def _sign_up(self) -> None:
        """Buy with an account from now on."""
        browser, url = requests.Session(), self._product.url
        origin = {"Origin": url}
        given = {"email": f"{secrets.token_hex(6)}@example.com", "password": secrets.token_hex(12)}
        for path, body in (
            ("sign-up", given),
            ("login", given),
            ("keys", {"name": "benchmark", "scopes": ["orders:read", "orders:write"]}),
        ):
            answer = browser.post(
                f"{url}/auth/{path}/", json=body, headers=origin, timeout=_TIMEOUT_SECONDS
            )
            assert answer.ok, answer.text
        self._buyer = {"Authorization": f"Bearer {answer.json()['key']}"}

    def _of(self, order: Mapping[str, Any]) -> Mapping[str, str]:
        return self._buyer or {"Authorization": f"Bearer {order['token']}"}

    def _act(self, path: str, **body: Any) -> None:
        self._post(path, body, {**self._staff, "Idempotency-Key": secrets.token_hex(16)})

    def _post(self, path: str, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
        answer = requests.post(
            f"{self._product.url}/{path}",
            json=body,
            headers=dict(headers),
            timeout=_TIMEOUT_SECONDS,
        )
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        told: dict[str, Any] = answer.json()
        return told
