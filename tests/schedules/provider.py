"""What a schedule sees of a payment provider, and has buyers, banks and its dashboard do there."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import requests
from flask.testing import FlaskClient

from tests import shop
from tests.sandbox.process import SandboxProcess

Document = dict[str, Any]
Behaviour = Literal[
    "pays",
    "pays_otherwise",
    "is_declined",
    "is_challenged",
    "pays_slowly",
    "is_refunded_slowly",
    "refund_fails",
    "is_disputed",
]
"""How a buyer fares; where a provider knows no such fate, they just pay."""


@dataclass(frozen=True, kw_only=True)
class TheirPayment:
    """A payment in a provider's books; `status` in our words."""

    provider: str
    id: str
    payment_id: int
    """Ours, by our mark."""
    status: str
    received_minor: int = 0
    ends: frozenset[str] = frozenset()
    """Which ends of ours are borne out by it as it is."""
    is_spare: bool = False
    """Whether it can take no money without our doing; of others, a payment of ours has one."""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """Money that a provider has taken."""

    provider: str
    id: str
    amount_minor: int
    is_disputed: bool


@dataclass(frozen=True, kw_only=True)
class TheirRefund:
    """Money that a provider gives back, by us or by its dashboard; `status` in our words."""

    provider: str
    id: str
    charge: str
    payment_id: int
    """Our payment, by the mark of theirs."""
    refund_id: int | None
    """Ours, by our mark."""
    status: str
    amount_minor: int


@dataclass(frozen=True)
class Books:
    """All that providers hold of our money, of each provider oldest first."""

    payments: Sequence[TheirPayment] = ()
    charges: Sequence[Charge] = ()
    refunds: Sequence[TheirRefund] = ()

    def __add__(self, other: "Books") -> "Books":
        return Books(
            [*self.payments, *other.payments],
            [*self.charges, *other.charges],
            [*self.refunds, *other.refunds],
        )


class Provider(ABC):
    """One provider's sandbox, in its own words; ids are the provider's."""

    name: str
    method: str
    """The way to pay by which buyers come here."""
    charges: str
    """What the control surface calls money that was taken."""
    endpoints: Mapping[str, Sequence[str]]
    """By the adapter's call, what faults are asked for by."""

    def __init__(self, process: SandboxProcess) -> None:
        self.process = process
        self.events: list[Document] = []
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self) -> None:
        """End the connections."""
        self.http.close()

    def control(self, path: str, body: object = None) -> Any:
        """Have it do something; its JSON, which says so if that is not to be."""
        return self.http.post(f"{self.process.url}/_control/{path}", json=body, timeout=30).json()

    def ledger(self) -> dict[str, list[Document]]:
        url = f"{self.process.url}/_control/ledger"
        ledger: dict[str, list[Document]] = self.http.get(url, timeout=30).json()
        return ledger

    def begin(self, *, search_lag_seconds: int) -> None:
        """Nothing left of earlier schedules."""
        self.control("reset")
        self.events.clear()

    def fault(self, call: str, fault: Mapping[str, Any]) -> None:
        """Let the next of these calls go wrong."""
        for endpoint in self.endpoints[call]:
            self.control("faults", {"endpoint": endpoint, **fault})

    def let_pass(self, seconds: int) -> None:
        self.control("clock", {"advance_seconds": seconds})

    def deliver(self, client: FlaskClient, event: Mapping[str, Any]) -> None:
        """Send an event as the provider does, signed now."""
        body = json.dumps(event).encode()
        url = f"{self.process.url}/_control/signatures"
        signed = self.http.post(url, data=body, timeout=30).json()
        headers = {"Content-Type": "application/json", **signed}
        path = f"/orders/webhook/{self.name}/"
        answer = shop.patiently(lambda: client.post(path, data=body, headers=headers))
        assert answer.status_code == 200, answer.text

    @abstractmethod
    def books(self) -> Books:
        """All that it holds of our money."""

    @abstractmethod
    def ticket(self, shown: Mapping[str, Any]) -> str | None:
        """What a buyer's browser needs to pay, by the JSON of a payment; None if it lacks yet."""

    @abstractmethod
    def use(self, ticket: str, behaviour: Behaviour) -> None:
        """Pay as a browser does; the provider may say no."""

    @abstractmethod
    def pay(self, payment: str) -> None:
        """Have it paid without any browser, if the provider lets it."""

    @abstractmethod
    def prove(self, payment: str, *, passed: bool) -> None:
        """Let the buyer pass, or fail, what they were asked for on the provider's page."""

    @abstractmethod
    def finish(self, payment: str, *, arrives: bool) -> None:
        """Let slow money arrive, or not."""

    @abstractmethod
    def end(self, payment: str, verb: Literal["cancel", "capture"]) -> None:
        """End a payment in the dashboard, if that is possible there."""

    @abstractmethod
    def refund(self, charge: Charge, amount_minor: int) -> None:
        """Give money back in the dashboard."""

    @abstractmethod
    def end_refund(self, refund: str, *, arrives: bool) -> None:
        """Let a refund arrive, or come back."""

    def dispute(self, charge: Charge) -> None:
        """Let the buyer's bank take the money back."""
        self.control(f"{self.charges}/{charge.id}/dispute")

    def disputes(self) -> list[str]:
        """All of them, newest first."""
        return [each["id"] for each in self.ledger()["disputes"][::-1]]

    def end_dispute(self, dispute: str, *, won: bool) -> None:
        self.control(f"disputes/{dispute}/{'win' if won else 'lose'}")

    @abstractmethod
    def news(self) -> list[Document]:
        """The events that have happened since this was asked last, oldest first."""

    @abstractmethod
    def thin(self, event: Document) -> Document:
        """An event about the same that says nearly nothing."""

    @abstractmethod
    def unknown(self, event: Document) -> Document:
        """An event of a type that nobody knows yet."""
