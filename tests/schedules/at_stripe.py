"""Stripe, where a buyer pays in the browser, by card or on Klarna's page."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tests.sandbox.process import StripeProcess
from tests.schedules.provider import (
    Behaviour,
    Books,
    Charge,
    Document,
    Provider,
    TheirPayment,
    TheirRefund,
)

_CARDS: Mapping[Behaviour, str] = {
    "pays": "pm_card_visa",
    "pays_otherwise": "pm_card_mastercard",
    "is_declined": "pm_card_chargeDeclined",
    "is_challenged": "pm_card_authenticationRequired",
    "pays_slowly": "pm_card_processing",
    "is_refunded_slowly": "pm_card_pendingRefund",
    "refund_fails": "pm_card_refundFail",
    "is_disputed": "pm_card_createDispute",
}
_STATES: Mapping[str, str] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_capture": "authorised",
    "canceled": "cancelled",
}


class AtStripe(Provider):
    """Its sandbox, by the ledger and the control surface."""

    name, method, charges = "stripe", "card", "charges"
    endpoints: Mapping[str, Sequence[str]] = {
        "create": ("payment_intents.create",),
        "refund": ("refunds.create",),
        "close": ("payment_intents.cancel",),
        "capture": ("payment_intents.capture",),
        "fetch": ("payment_intents.retrieve",),
        "find": ("payment_intents.search",),
        "refunds_of": ("refunds.list",),
        "disputes_of": ("disputes.list",),
    }
    process: StripeProcess

    def begin(self, *, search_lag_seconds: int) -> None:
        super().begin(search_lag_seconds=search_lag_seconds)
        slowly = {"refund_seconds": None, "search_lag_seconds": search_lag_seconds}
        self.control("config", slowly)

    def books(self) -> Books:
        ledger = self.ledger()
        marks = {each["id"]: each["metadata"] for each in ledger["payment_intents"]}
        return Books(
            [self._payment(each) for each in ledger["payment_intents"]],
            [self._charge(each) for each in ledger["charges"] if each["captured"]],
            [self._refund(each, marks[each["payment_intent"]]) for each in ledger["refunds"]],
        )

    def _payment(self, intent: Document) -> TheirPayment:
        """An intent has no end called failed.

        What was opened although the call was refused must have been closed again, and nobody may
        have been given money by it.
        """
        received, state = intent["amount_received"], _in_our_words(intent["status"])
        ends = {"succeeded": {"succeeded"}, "cancelled": {"cancelled"}}.get(state, set())
        if state == "cancelled" and not received:
            ends.add("failed")
        return TheirPayment(
            provider=self.name,
            id=intent["id"],
            payment_id=int(intent["metadata"]["payment_id"]),
            status=state,
            received_minor=received,
            ends=frozenset(ends),
        )

    def _charge(self, charge: Document) -> Charge:
        return Charge(
            provider=self.name,
            id=charge["id"],
            amount_minor=charge["amount_captured"],
            is_disputed=charge["disputed"],
        )

    def _refund(self, refund: Document, mark: Mapping[str, str]) -> TheirRefund:
        ours = refund["metadata"].get("refund_id")
        return TheirRefund(
            provider=self.name,
            id=refund["id"],
            charge=refund["charge"],
            payment_id=int(mark["payment_id"]),
            refund_id=int(ours) if ours else None,
            status=_in_our_words(refund["status"]),
            amount_minor=refund["amount"],
        )

    def ticket(self, shown: Mapping[str, Any]) -> str | None:
        secret: str | None = shown["client_secret"]
        return secret

    def use(self, ticket: str, behaviour: Behaviour) -> None:
        intent_id = ticket.partition("_secret_")[0]
        self.http.post(
            f"{self.process.url}/v1/payment_intents/{intent_id}/confirm",
            data={
                "client_secret": ticket,
                "payment_method": _CARDS[behaviour],
                "return_url": "http://127.0.0.1/back",
            },
            headers={"Authorization": f"Bearer {self.process.publishable_key}"},
            timeout=30,
        )

    def pay(self, payment: str) -> None:
        self.control(f"payment_intents/{payment}/pay")

    def prove(self, payment: str, *, passed: bool) -> None:
        verb = "authenticate" if passed else "fail_authentication"
        self.control(f"payment_intents/{payment}/{verb}")

    def finish(self, payment: str, *, arrives: bool) -> None:
        verb = "finish_processing" if arrives else "fail_processing"
        self.control(f"payment_intents/{payment}/{verb}")

    def end(self, payment: str, verb: Literal["cancel", "capture"]) -> None:
        self.control(f"payment_intents/{payment}/{verb}")

    def refund(self, charge: Charge, amount_minor: int) -> None:
        self.control(f"charges/{charge.id}/refund", {"amount": amount_minor})

    def end_refund(self, refund: str, *, arrives: bool) -> None:
        self.control(f"refunds/{refund}/{'succeed' if arrives else 'fail'}")

    def news(self) -> list[Document]:
        found: list[Document] = []
        while page := self._after_the_last():
            self.events += page
            found += page
        return found

    def _after_the_last(self) -> list[Document]:
        after = {"ending_before": self.events[-1]["id"]} if self.events else {}
        answer = self.http.get(
            f"{self.process.url}/v1/events",
            params={"limit": 100, **after},
            headers={"Authorization": f"Bearer {self.process.secret_key}"},
            timeout=30,
        )
        newest: list[Document] = answer.json()["data"]
        return newest[::-1]

    def thin(self, event: Document) -> Document:
        """The form of API v2, which says no more than that something has happened."""
        subject = event["data"]["object"]
        return {
            "id": f"evt_test_{event['id']}",
            "object": "v2.core.event",
            "created": "2026-11-22T20:00:00+00:00",
            "livemode": False,
            "related_object": {"id": subject["id"], "type": subject["object"]},
            "type": f"v1.{event['type']}",
        }

    def unknown(self, event: Document) -> Document:
        return {**event, "id": f"evt_new_{event['id']}", "type": "payment_method.will_be_invented"}


def _in_our_words(status: str) -> str:
    return _STATES.get(status, status)
