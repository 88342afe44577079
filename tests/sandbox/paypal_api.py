"""PayPal's API as a shop calls it, without an adapter."""

from typing import Any, Self

import requests

from tests.paypal_spec import SPECS, JudgingSession
from tests.sandbox.process import PayPalProcess

UNIT = {
    "amount": {"currency_code": "EUR", "value": "49.90"},
    "custom_id": "orders-test.pi.7",
    "invoice_id": "test-pi-7",
    "description": "Order 7K2M",
}


class PayPalApi:
    """Calls and returns the answers, whatever their status."""

    def __init__(self, sandbox: PayPalProcess) -> None:
        self.sandbox = sandbox
        self._session = JudgingSession() if SPECS.exists() else requests.Session()

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def renew(self) -> None:
        """Take a new token."""
        self._session.headers["Authorization"] = f"Bearer {self.sandbox.token()}"

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        whole: bool = True,
    ) -> requests.Response:
        headers = {"PayPal-Request-Id": key} if key else {}
        if whole:
            headers["Prefer"] = "return=representation"
        if body is None and method == "POST":
            headers["Content-Type"] = "application/json"
        return self._session.request(
            method, f"{self.sandbox.url}{path}", json=body, headers=headers, timeout=30
        )

    def create(
        self, key: str | None = None, intent: str = "CAPTURE", **unit: Any
    ) -> requests.Response:
        order = {"intent": intent, "purchase_units": [UNIT | unit]}
        return self.call("POST", "/v2/checkout/orders", order, key=key)

    def order(self, **unit: Any) -> str:
        """Open an order; its id."""
        return str(self.create(**unit).json()["id"])

    def approved(self, funding: str = "pays", **unit: Any) -> str:
        """Open an order and have the buyer approve it; its id."""
        order_id = self.order(**unit)
        self.sandbox.control(f"orders/{order_id}/approve", {"funding": funding})
        return order_id

    def authorized(self, funding: str = "pays", **unit: Any) -> tuple[str, str]:
        """An order from its opening to its authorisation; the ids of both."""
        order_id = self.approved(funding, intent="AUTHORIZE", **unit)
        answer = self.call("POST", f"/v2/checkout/orders/{order_id}/authorize")
        (made,) = payments_of(answer.json())["authorizations"]
        return order_id, str(made["id"])

    def look(self, order_id: str) -> Any:
        return self.call("GET", f"/v2/checkout/orders/{order_id}").json()

    def capture(self, order_id: str, key: str | None = None) -> requests.Response:
        return self.call("POST", f"/v2/checkout/orders/{order_id}/capture", key=key)

    def captured(self, funding: str = "pays", **unit: Any) -> str:
        """An order from its opening to its capture; the capture's id."""
        (capture,) = payments_of(self.capture(self.approved(funding, **unit)).json())["captures"]
        return str(capture["id"])

    def refund(
        self, capture_id: str, value: str | None = None, key: str | None = None, **more: Any
    ) -> requests.Response:
        amount = {"amount": {"currency_code": "EUR", "value": value}} if value else {}
        path = f"/v2/payments/captures/{capture_id}/refund"
        return self.call("POST", path, amount | more, key=key)

    def events(self, **query: str) -> list[Any]:
        answer = self._session.get(
            f"{self.sandbox.url}/v1/notifications/webhooks-events",
            params={"page_size": "100", **query},
            timeout=30,
        )
        found: list[Any] = answer.json()["events"]
        return found


def payments_of(order: Any) -> Any:
    return order["purchase_units"][0]["payments"]


def issue_of(answer: requests.Response) -> tuple[int, str]:
    """The status and the issue of a refusal."""
    return answer.status_code, answer.json()["details"][0]["issue"]
