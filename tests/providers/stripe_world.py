"""The world around Stripe: its sandbox, whose books are the oracle."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, get_args

import settings
from models.intents import PaymentRequest, PaymentState
from providers.base import ProviderEvent
from providers.stripe import Stripe
from providers.stripe_money import from_stripe
from tests.providers.world import Behaviour, Call, Fault, Habit, Refusal
from tests.sandbox.process import StripeProcess
from tests.stripe_spec import SPECS, ValidatingHTTPClient

ENDPOINTS: dict[Call, str] = {
    "create": "payment_intents.create",
    "find": "payment_intents.search",
    "fetch": "payment_intents.retrieve",
    "close": "payment_intents.cancel",
    "reserve": "payment_intents.retrieve",
    "capture": "payment_intents.capture",
    "refund": "refunds.create",
    "refunds_of": "refunds.list",
    "fetch_refund": "refunds.retrieve",
    "disputes_of": "disputes.list",
}
FAULTS: dict[Fault, dict[str, Any]] = {
    "cut": {"fault": "cut"},
    "accept_then_cut": {"fault": "accept_then_cut"},
    "fail": {"fault": "fail_before", "status": 503},
    "saved_failure": {"fault": "fail_after", "status": 500},
    "conflict": {"fault": "fail_before", "status": 409},
    "rate_limit": {"fault": "fail_before", "status": 429, "retry_after": 2},
}
CARDS: dict[Behaviour, str] = {
    "pays": "pm_card_visa",
    "is_declined": "pm_card_chargeDeclinedInsufficientFunds",
    "is_challenged": "pm_card_authenticationRequired",
    "pays_slowly": "pm_card_processing",
    "is_refunded_slowly": "pm_card_pendingRefund",
}


class StripeWorld:
    """Implements `World`; `over` gives back what it changed of the sandbox."""

    name = "stripe"
    key_memory = refund_key_memory = timedelta(hours=24)
    habits: frozenset[Habit] = frozenset(get_args(Habit)) - {"reserves_on_demand"}
    opens_as: PaymentState = "open"
    way: Mapping[str, Any] = MappingProxyType({})
    refusals: Mapping[Refusal, str] = {"refunded": "already", "disputed": "disputed"}

    def __init__(self, sandbox: StripeProcess) -> None:
        self._sandbox = sandbox
        self._ahead_seconds = 0
        sandbox.control("config", {"refund_seconds": None})

    def over(self) -> None:
        """Give back the clock and the settings."""
        self._sandbox.control("config", {"refund_seconds": 1.0})
        self.later(timedelta(0))

    @cached_property
    def adapter(self) -> Stripe:
        return Stripe(settings.current())

    def act(self, payment_id: str, behaviour: Behaviour = "pays") -> None:
        paid_with = {"payment_method": CARDS[behaviour]}
        self._sandbox.control(f"payment_intents/{payment_id}/pay", paid_with)

    def finish(self, payment_id: str) -> None:
        self._sandbox.control(f"payment_intents/{payment_id}/finish_processing")

    def refund(self, payment_id: str, amount_minor: int) -> str:
        charge = self._charge_of(payment_id)
        given: dict[str, Any] = {"amount": amount_minor}
        return str(self._sandbox.control(f"charges/{charge}/refund", given)["id"])

    def end_refund(self, refund_id: str, *, arrives: bool) -> None:
        self._sandbox.control(f"refunds/{refund_id}/{'succeed' if arrives else 'fail'}")

    def dispute(self, payment_id: str) -> str:
        return str(self._sandbox.control(f"charges/{self._charge_of(payment_id)}/dispute")["id"])

    def end_dispute(self, dispute_id: str, *, won: bool) -> None:
        self._sandbox.control(f"disputes/{dispute_id}/{'win' if won else 'lose'}")

    def fault(self, call: Call, fault: Fault) -> None:
        self._sandbox.control("faults", {"endpoint": ENDPOINTS[call], **FAULTS[fault]})

    def later(self, by: timedelta) -> None:
        seconds = int(by.total_seconds())
        self._sandbox.control("clock", {"advance_seconds": seconds - self._ahead_seconds})
        self._ahead_seconds = seconds

    def opened(self, request: PaymentRequest) -> list[str]:
        mark = {"payment_id": str(request.payment_id)}.items()
        intents = self._sandbox.ledger()["payment_intents"]
        return [intent["id"] for intent in intents if mark <= intent["metadata"].items()]

    def captured(self, payment_id: str) -> int:
        charges = self._sandbox.ledger()["charges"]
        return sum(
            from_stripe(charge["amount_captured"], charge["currency"].upper())
            for charge in charges
            if charge["payment_intent"] == payment_id
        )

    def refunded(self, payment_id: str) -> list[int]:
        refunds = self._sandbox.ledger()["refunds"]
        return [
            from_stripe(refund["amount"], refund["currency"].upper())
            for refund in refunds
            if refund["payment_intent"] == payment_id
        ]

    def told(self, payment_id: str) -> list[ProviderEvent]:
        judge = ValidatingHTTPClient() if SPECS.exists() else None
        page = self._sandbox.client(judge).v1.events.list({"limit": 100})
        told = [self.adapter.read_event(event.to_dict()) for event in page.data[::-1]]
        return [event for event in told if event.provider_payment_id == payment_id]

    def _charge_of(self, payment_id: str) -> str:
        charges = self._sandbox.ledger()["charges"]
        return str([each["id"] for each in charges if each["payment_intent"] == payment_id][-1])


class KlarnaWorld(StripeWorld):
    """Stripe where the buyer pays on Klarna's page, to which the payment leads at once."""

    habits: frozenset[Habit] = frozenset(
        ("closes", "finds_unpaid", "tells_all", "takes_refunds_back", "doubles_refunds")
    )
    opens_as: PaymentState = "requires_action"
    way: Mapping[str, Any] = MappingProxyType(
        {
            "payment_method": "klarna",
            "return_url": "http://127.0.0.1/back",
            "country": "IE",
            "email": "guest@example.com",
        }
    )

    def act(self, payment_id: str, behaviour: Behaviour = "pays") -> None:
        verb = {"pays": "authenticate", "is_declined": "fail_authentication"}[behaviour]
        self._sandbox.control(f"payment_intents/{payment_id}/{verb}")
