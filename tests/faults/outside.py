"""The outside world of a product under test: what its provider and mail server do, on order."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import requests

from tests.shop import signature
from tests.wiring.product import Product

Deliveries = Literal["hold", "drop", "double", "reorder"]
_PAGE_SIZE = 100


class Outside(Product):
    """A product whose provider and mail server do what the test says."""

    # --- what the provider has on record ---

    @property
    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Every intent, charge and refund, oldest first."""
        return dict(self._control("GET", "provider", "ledger").json())

    def listed(self, what: str, **bounds: object) -> list[dict[str, Any]]:
        """All `disputes` or `events`, newest first, as the provider's API shows them."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": _PAGE_SIZE, **bounds}
        has_more = True
        while has_more:
            page = self.api("GET", what, params=params).json()
            found += page["data"]
            has_more = page["has_more"]
            params["starting_after"] = found[-1]["id"] if found else None
        return found

    def events_about(self, intent_id: str) -> list[dict[str, Any]]:
        """The events about an intent, its charges and refunds, oldest first."""
        return [
            event for event in self.listed("events")[::-1] if intent_id in json.dumps(event["data"])
        ]

    def calls(self, endpoint: str, key: str) -> list[dict[str, Any]]:
        """The calls of an endpoint that bore this idempotency key, as the provider saw them."""
        asked = self._control("GET", "provider", f"requests?endpoint={endpoint}").json()
        calls = asked["data"] if isinstance(asked, dict) else asked
        return [call for call in calls if call["idempotency_key"] == key]

    # --- what happens at the provider ---

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the provider's API with the shop's key, as another program could."""
        answer = requests.request(
            method,
            f"{self.run['base_urls']['provider']}/v1/{path}",
            timeout=30,
            **{**options, "headers": self._with_key(options.get("headers", {}))},
        )
        answer.raise_for_status()
        return answer

    def _with_key(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret_key}", **headers}

    def act(self, subject: str, verb: str, **given: object) -> dict[str, Any]:
        """What buyers, banks and the dashboard do: `act(f"charges/{id}", "dispute")`."""
        return dict(self._control("POST", "provider", f"{subject}/{verb}", given).json())

    def move_providers_clock(self, seconds: int) -> None:
        self._control("POST", "provider", "clock", {"advance_seconds": seconds})

    @contextmanager
    def provider_fault(
        self, fault: str, endpoint: str = "payment_intents.create", **details: object
    ) -> Iterator[None]:
        """Have calls of an endpoint meet a fault."""
        given = {"endpoint": endpoint, "fault": fault, **details}
        self._control("POST", "provider", "faults", given)
        try:
            yield
        finally:
            self._control("DELETE", "provider", "faults")

    @contextmanager
    def provider_setting(self, name: str, value: object, afterwards: object) -> Iterator[None]:
        self._control("POST", "provider", "config", {name: value})
        try:
            yield
        finally:
            self._control("POST", "provider", "config", {name: afterwards})

    # --- what it tells ---

    @contextmanager
    def webhooks(self, mode: Deliveries, **details: object) -> Iterator[None]:
        """Have the events of this block delivered differently, or not at all."""
        self._control("POST", "provider", "deliveries", {"mode": mode, **details})
        try:
            yield
        finally:
            self._control("POST", "provider", "deliveries", {"mode": "normal"})

    @contextmanager
    def webhooks_held(self) -> Iterator[None]:
        """Keep the provider's events back until the end of the block."""
        try:
            with self.webhooks("hold"):
                yield
        finally:
            self._control("POST", "provider", "deliveries/release")

    def deliver(self, event: Mapping[str, Any], copies: int = 1) -> list[dict[str, Any]]:
        """Have an event delivered now, so often at once; the status and body of each answer."""
        answers = self._control(
            "POST", "provider", f"events/{event['id']}/deliver", {"copies": copies}
        )
        return list(answers.json())

    def send(self, event: Mapping[str, Any], **how: Any) -> requests.Response:
        """Deliver an event as the provider would, and sign it as `tests.shop.signature` says."""
        body = json.dumps(event).encode()
        headers = signature(body, **{"secret": self.run["webhook_secret"], **how})
        return self.post("/orders/webhook/", data=body, headers=headers)

    @property
    def is_telling(self) -> bool:
        """Whether events are on their way to the shop, or will be tried again."""
        sent = self._control("GET", "provider", "deliveries").json()
        return any(delivery["status"] in ("pending", "sending") for delivery in sent)

    # --- the mail server ---

    @contextmanager
    def mail_fault(self, kind: str, **details: object) -> Iterator[None]:
        self._control("POST", "mail", "faults", {"kind": kind, **details})
        try:
            yield
        finally:
            self._control("DELETE", "mail", "faults")

    def _control(
        self, method: str, who: str, path: str, body: Mapping[str, object] | None = None
    ) -> requests.Response:
        url = f"{self.run[f'{who}_control_url']}/{path}"
        answer = requests.request(method, url, json=body, timeout=30)
        answer.raise_for_status()
        return answer
