"""The provider sandboxes as processes of their own, and an endpoint for their webhooks."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import requests
import stripe

ROOT = Path(__file__).parents[2]
API_VERSION = "2026-10-28.endive"


class SandboxProcess:
    """`python -m sandbox.<name>` on a free port, from `start` (or `with`) to `stop` or `kill`."""

    def __init__(self, name: str, **options: object) -> None:
        self.url = ""
        self._name, self._options, self._port = name, options, "0"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start, on the former port after a stop, and return when it answers."""
        options = {"port": self._port, **self._options}
        given = [
            word
            for name, value in options.items()
            if value
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"sandbox.{self._name}", *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        self._port = self.url.rpartition(":")[2]
        return self

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._gone()

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._gone()

    def _gone(self) -> int:
        assert self._process is not None
        with self._process as process:
            code = process.wait(timeout=10)
        self._process = None
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def control(self, path: str, body: object = None, *, method: str = "POST") -> Any:
        """Call the control surface: `control("faults", {...})`; return its JSON or raise."""
        answer = requests.request(
            method,
            f"{self.url}/_control/{path}",
            json=body if method == "POST" else None,
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def read(self, path: str) -> Any:
        """Return what the control surface shows at a path: `read("deliveries")`."""
        return self.control(path, method="GET")

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return all that its books hold of money, oldest first."""
        ledger: dict[str, list[dict[str, Any]]] = self.read("ledger")
        return ledger

    def fault(self, endpoint: str, fault: str, **details: object) -> None:
        """Make the next call of an endpoint fail: `fault("refunds.create", "cut")`."""
        self.control("faults", {"endpoint": endpoint, "fault": fault, **details})


class StripeProcess(SandboxProcess):
    """Stripe's sandbox."""

    secret_key = "sk_test_51Sandbox"
    publishable_key = "pk_test_51Sandbox"

    def __init__(
        self,
        *,
        webhook_url: str | None = None,
        webhook_secret: str = "whsec_of_the_tests",
        state: Path | None = None,
    ) -> None:
        self.webhook_secret = webhook_secret
        super().__init__(
            "stripe",
            secret_key=self.secret_key,
            publishable_key=self.publishable_key,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            state=state,
        )

    def client(self, http_client: stripe.HTTPClient | None = None) -> stripe.StripeClient:
        """Return the official SDK, pointed here, without retries of its own."""
        return stripe.StripeClient(
            self.secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=http_client,
        )

    def confirm(
        self, intent: Any, payment_method: str = "pm_card_visa", **params: str
    ) -> requests.Response:
        """Pay as Stripe.js does: with the publishable key and the client secret."""
        form = {
            "client_secret": intent.client_secret,
            "payment_method": payment_method,
            "return_url": "http://127.0.0.1/back",
        }
        return requests.post(
            f"{self.url}/v1/payment_intents/{intent.id}/confirm",
            data=form | params,
            headers={"Authorization": f"Bearer {self.publishable_key}"},
            timeout=30,
        )


class PayPalProcess(SandboxProcess):
    """PayPal's sandbox."""

    client_id = "client-of-the-tests"
    client_secret = "secret-of-the-tests"
    webhook_id = "1WEBHOOKOFTESTS00"

    def __init__(self, *, webhook_url: str | None = None, state: Path | None = None) -> None:
        super().__init__(
            "paypal",
            client_id=self.client_id,
            client_secret=self.client_secret,
            webhook_id=self.webhook_id,
            webhook_url=webhook_url,
            state=state,
        )

    def token(self) -> str:
        """A fresh access token."""
        answer = requests.post(
            f"{self.url}/v1/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(self.client_id, self.client_secret),
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


class WebhookEndpoint:
    """Keeps every delivery; answers with `statuses`, then 200, and not before `gate` opens."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.statuses: list[int] = []
        self.gate: threading.Barrier | None = None
        self._arrival = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook/"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = endpoint._take(body, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _take(self, body: bytes, headers: Mapping[str, str]) -> int:
        if self.gate is not None:
            self.gate.wait(timeout=15)
        with self._arrival:
            self.received.append((body, headers.get("Stripe-Signature", "")))
            self.headers.append(headers)
            self._arrival.notify_all()
            return self.statuses.pop(0) if self.statuses else 200

    def events(self, sender: StripeProcess) -> list[stripe.Event]:
        """Return what came, each verified by the SDK."""
        return [
            stripe.Webhook.construct_event(body, signature, sender.webhook_secret)
            for body, signature in self.received
        ]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        """Return when the condition holds; it is looked at after each delivery."""
        with self._arrival:
            assert self._arrival.wait_for(condition, seconds), [b[:300] for b, _ in self.received]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
