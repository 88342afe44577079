"""The world around PayPal: its sandbox, whose books are the oracle."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any

import settings
from models.intents import PaymentRequest, PaymentState
from providers import paypal_marks, paypal_money
from providers.base import ProviderEvent
from providers.paypal import PayPal
from tests.providers.world import Behaviour, Call, Fault, Habit, Refusal
from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess

ENDPOINTS: dict[Call, tuple[str, ...]] = {
    "create": ("orders.create",),
    "find": ("events.list",),
    "fetch": ("orders.get",),
    "close": ("orders.get",),
    "reserve": ("orders.authorize",),
    "capture": ("orders.capture", "authorizations.capture"),
    "refund": ("captures.refund",),
    "refunds_of": ("orders.get",),
    "fetch_refund": ("refunds.get",),
    "disputes_of": ("disputes.list",),
}
FAULTS: dict[Fault, dict[str, Any]] = {
    "cut": {"fault": "cut"},
    "accept_then_cut": {"fault": "accept_then_cut"},
    "fail": {"fault": "fail_before", "status": 503},
    "saved_failure": {"fault": "fail_after", "status": 500},
    "conflict": {"fault": "fail_before", "status": 409},
    "rate_limit": {"fault": "fail_before", "status": 429, "retry_after": 2},
}


class PayPalWorld:
    """Implements `World`; `over` gives back what it changed of the sandbox."""

    name = "paypal"
    key_memory = timedelta(hours=6)
    refund_key_memory = timedelta(days=45)
    habits: frozenset[Habit] = frozenset(
        (
            "takes_its_time",
            "refunds_slowly",
            "tries_again",
            "dates_reservations",
            "reserves_on_demand",
        )
    )
    opens_as: PaymentState = "open"
    way: Mapping[str, Any] = MappingProxyType({})
    refusals: Mapping[Refusal, str] = {
        "refunded": "CAPTURE_FULLY_REFUNDED",
        "disputed": "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK",
    }

    def __init__(self, sandbox: PayPalProcess) -> None:
        self._sandbox = sandbox
        self._ahead_seconds = 0

    def over(self) -> None:
        """Give back the clock."""
        self.later(timedelta(0))

    @cached_property
    def adapter(self) -> PayPal:
        return PayPal(settings.current())

    def act(self, payment_id: str, behaviour: Behaviour = "pays") -> None:
        self._sandbox.control(f"orders/{payment_id}/approve", {"funding": behaviour})

    def finish(self, payment_id: str) -> None:
        self._sandbox.control(f"captures/{self._capture_of(payment_id)}/complete")

    def refund(self, payment_id: str, amount_minor: int) -> str:
        amount: Any = {"amount": paypal_money.to_paypal(amount_minor, "EUR")}
        capture = self._capture_of(payment_id)
        return str(self._sandbox.control(f"captures/{capture}/refund", amount)["id"])

    def end_refund(self, refund_id: str, *, arrives: bool) -> None:
        self._sandbox.control(f"refunds/{refund_id}/{'complete' if arrives else 'fail'}")

    def dispute(self, payment_id: str) -> str:
        capture = self._capture_of(payment_id)
        return str(self._sandbox.control(f"captures/{capture}/dispute")["id"])

    def end_dispute(self, dispute_id: str, *, won: bool) -> None:
        self._sandbox.control(f"disputes/{dispute_id}/{'win' if won else 'lose'}")

    def fault(self, call: Call, fault: Fault) -> None:
        for endpoint in ENDPOINTS[call]:
            self._sandbox.control("faults", {"endpoint": endpoint, **FAULTS[fault]})

    def later(self, by: timedelta) -> None:
        seconds = int(by.total_seconds())
        self._sandbox.control("clock", {"advance_seconds": seconds - self._ahead_seconds})
        self._ahead_seconds = seconds

    def opened(self, request: PaymentRequest) -> list[str]:
        mark = paypal_marks.Mark("orders-test", request.payment_id)
        orders = self._sandbox.ledger()["orders"]
        return [each["id"] for each in orders if each["custom_id"] == str(mark)]

    def captured(self, payment_id: str) -> int:
        captures = self._sandbox.ledger()["captures"]
        mine = (each for each in captures if each["order"] == payment_id)
        return sum(_minor(each) for each in mine if each["status"] != "PENDING")

    def refunded(self, payment_id: str) -> list[int]:
        refunds = self._sandbox.ledger()["refunds"]
        return [_minor(each) for each in refunds if each["order"] == payment_id]

    def told(self, payment_id: str) -> list[ProviderEvent]:
        captures = self._sandbox.ledger()["captures"]
        names = [payment_id, *(each["id"] for each in captures if each["order"] == payment_id)]
        with PayPalApi(self._sandbox) as api:
            events = api.events()[::-1]
        about = (event for event in events if any(name in str(event) for name in names))
        return [self.adapter.read_event(event) for event in about]

    def _capture_of(self, payment_id: str) -> str:
        captures = self._sandbox.ledger()["captures"]
        return str([each["id"] for each in captures if each["order"] == payment_id][-1])


def _minor(entry: dict[str, Any]) -> int:
    return paypal_money.from_paypal({"currency_code": entry["currency"], "value": entry["amount"]})
