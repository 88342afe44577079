"""PayPal, where a buyer approves, and money moves when a worker of ours captures it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import requests

from providers import paypal_marks, paypal_money
from providers.paypal_marks import Mark
from tests.sandbox.process import PayPalProcess
from tests.schedules.provider import (
    Behaviour,
    Books,
    Charge,
    Document,
    Provider,
    TheirPayment,
    TheirRefund,
)

_MOST_FAULTS = 100
_FUNDINGS = ("is_declined", "pays_slowly", "is_refunded_slowly")
_TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
_UNPAID = {"cancelled", "failed"}
# What is reserved or taken, in our words, and which ends of ours that bears out.
_RESERVED: Mapping[str, tuple[str, set[str]]] = {
    "CREATED": ("authorised", set()),
    "CAPTURED": ("authorised", set()),
    "VOIDED": ("cancelled", _UNPAID),
}
_CAPTURED: Mapping[str, tuple[str, set[str]]] = {
    "PENDING": ("processing", set()),
    **dict.fromkeys(_TAKEN, ("succeeded", {"succeeded"})),
}
_REFUND_STATES = {"PENDING": "pending", "COMPLETED": "succeeded", "FAILED": "failed"}
_UNAUTHORISED = 401


class AtPayPal(Provider):
    """Its sandbox, by the ledger and the control surface."""

    name, method, charges = "paypal", "paypal", "captures"
    endpoints: Mapping[str, Sequence[str]] = {
        "create": ("orders.create",),
        "refund": ("captures.refund",),
        "close": ("orders.get", "authorizations.void"),
        "capture": ("orders.capture", "orders.authorize", "authorizations.capture"),
        "fetch": ("orders.get",),
        "find": ("events.list",),
        "refunds_of": ("orders.get",),
        "disputes_of": ("disputes.list",),
    }
    process: PayPalProcess
    _token = ""

    def books(self) -> Books:
        ledger = self.ledger()
        disputed = {each["capture"] for each in ledger["disputes"]}
        return Books(
            [self._payment(each, ledger) for each in ledger["orders"]],
            [self._charge(each, disputed) for each in ledger["captures"] if _is_taken(each)],
            [self._refund(each) for each in ledger["refunds"]],
        )

    def _payment(self, order: Document, ledger: dict[str, list[Document]]) -> TheirPayment:
        """An order of which nothing was taken or reserved is forgotten, whatever it says."""
        its = [each for each in ledger["captures"] if each["order"] == order["id"]]
        reserved = [each for each in ledger["authorizations"] if each["order"] == order["id"]]
        state, ends = "authorised" if order["status"] == "APPROVED" else "open", _UNPAID
        for each in reserved:
            state, ends = _RESERVED[each["status"]]
        for each in its:
            state, ends = _CAPTURED.get(each["status"], ("failed", {"failed"}))
        return TheirPayment(
            provider=self.name,
            id=order["id"],
            payment_id=_mark(order).payment_id,
            status=state,
            received_minor=sum(_minor(each) for each in its if _is_taken(each)),
            ends=frozenset(ends),
            is_spare=state not in ("processing", "succeeded") and not reserved,
        )

    def _charge(self, capture: Document, disputed: set[str]) -> Charge:
        return Charge(
            provider=self.name,
            id=capture["id"],
            amount_minor=_minor(capture),
            is_disputed=capture["id"] in disputed,
        )

    def _refund(self, refund: Document) -> TheirRefund:
        mark = _mark(refund)
        return TheirRefund(
            provider=self.name,
            id=refund["id"],
            charge=refund["capture"],
            payment_id=mark.payment_id,
            refund_id=mark.refund_id,
            status=_REFUND_STATES[refund["status"]],
            amount_minor=_minor(refund),
        )

    def ticket(self, shown: Mapping[str, Any]) -> str | None:
        page: str | None = shown["redirect_url"]
        return page

    def use(self, ticket: str, behaviour: Behaviour) -> None:
        said = {"answer": "approve", "funding": _funding(behaviour)}
        self.http.post(ticket, data=said, timeout=30, allow_redirects=False)

    def pay(self, payment: str) -> None:
        self._approve(payment, "pays")

    def prove(self, payment: str, *, passed: bool) -> None:
        """They approve, by what is refused afterwards or not."""
        self._approve(payment, "pays" if passed else "is_declined")

    def _approve(self, payment: str, funding: str) -> None:
        self.control(f"orders/{payment}/approve", {"funding": funding})

    def finish(self, payment: str, *, arrives: bool) -> None:
        for capture in self.ledger()["captures"]:
            if capture["order"] == payment:
                verb = "complete" if arrives else "deny"
                self.control(f"captures/{capture['id']}/{verb}")

    def end(self, payment: str, verb: Literal["cancel", "capture"]) -> None:
        """PayPal's dashboard knows of no order before money is reserved; a buyer may go back."""
        for reserved in self.ledger()["authorizations"]:
            if reserved["order"] == payment and verb == "capture":
                self.control(f"authorizations/{reserved['id']}/capture")
            elif reserved["order"] == payment:
                self.control(f"authorizations/{reserved['id']}/void")
        if verb == "cancel":
            self.control(f"orders/{payment}/cancel")

    def refund(self, charge: Charge, amount_minor: int) -> None:
        amount = {"amount": paypal_money.to_paypal(amount_minor, "EUR")}
        self.control(f"captures/{charge.id}/refund", amount)

    def end_refund(self, refund: str, *, arrives: bool) -> None:
        self.control(f"refunds/{refund}/{'complete' if arrives else 'fail'}")

    def news(self) -> list[Document]:
        known = {each["id"] for each in self.events}
        since = {"start_time": self.events[-1]["create_time"]} if self.events else {}
        found = [each for each in self._listed(since)[::-1] if each["id"] not in known]
        self.events += found
        return found

    def _listed(self, since: Mapping[str, str]) -> list[Document]:
        """Whatever fault was meant for the product's own reading of this list."""
        for _ in range(_MOST_FAULTS):
            try:
                answer = self.http.get(
                    f"{self.process.url}/v1/notifications/webhooks-events",
                    params={"page_size": "1000", **since},
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=30,
                )
            except requests.ConnectionError:
                continue
            if answer.ok:
                found: list[Document] = answer.json()["events"]
                return found
            if answer.status_code == _UNAUTHORISED:  # forgotten by who begins anew
                self._token = self.process.token()
        raise AssertionError("PayPal does not list its events")

    def thin(self, event: Document) -> Document:
        """That an approval lapsed, which may be so or not."""
        (mark, *_) = re.findall(r"orders-test\.pi\.\d+", json.dumps(event))
        return event | {
            "id": f"WH-THIN-{event['id']}",
            "event_type": "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
            "resource_type": "payment-approval",
            "resource": {"purchase_units": [{"custom_id": mark}]},
        }

    def unknown(self, event: Document) -> Document:
        return event | {"id": f"WH-NEW-{event['id']}", "event_type": "PAYMENT.WILL-BE.INVENTED"}


def _funding(behaviour: Behaviour) -> str:
    return behaviour if behaviour in _FUNDINGS else "pays"


def _is_taken(capture: Document) -> bool:
    return capture["status"] in _TAKEN


def _mark(entry: Document) -> Mark:
    mark = paypal_marks.read(entry["custom_id"])
    assert mark is not None
    return mark


def _minor(entry: Document) -> int:
    return paypal_money.from_paypal({"currency_code": entry["currency"], "value": entry["amount"]})
