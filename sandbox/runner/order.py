"""`make order`: one order through the running product, over HTTP only, from basket to mail."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import requests

from sandbox.runner.block import Item, order_body
from sandbox.runner.state import State

_SECONDS = 10
_POLL_SECONDS = 0.1
_QUANTITY = 2


class OrderError(Exception):
    """The order did not end paid, mailed and counted; the message says what differs."""


def catalogue(web: str) -> list[dict[str, Any]]:
    """What the shop sells."""
    answer = requests.get(f"{web}/catalog/", timeout=_SECONDS)
    items: list[dict[str, Any]] = _expect(answer, 200)["data"]
    return items


def stocked_item(web: str) -> Item | None:
    """An item of which two can be ordered, or None."""
    fits = (
        item for item in catalogue(web) if item["available"] >= _QUANTITY and not item["is_unique"]
    )
    return next(fits, None)


def walk(state: State, say: Callable[[str], None]) -> None:
    """Order, pay, and compare what shop, mail server and provider say; raises OrderError."""
    started = time.monotonic()
    walker = _Walker(state, say)
    walker.place()
    walker.open_payment()
    walker.pay()
    walker.see_paid()
    walker.see_one_mail()
    walker.see_stock()
    walker.see_ledger()
    say(f"Paid, mailed and counted in {time.monotonic() - started:.1f} s")


class _Walker:
    def __init__(self, state: State, say: Callable[[str], None]) -> None:
        self._state = state
        self._web = state["base_urls"]["web"]
        self._say = say
        self._deadline = time.monotonic() + _SECONDS
        self._email = f"walker-{secrets.token_hex(4)}@example.com"

    def place(self) -> None:
        item = stocked_item(self._web)
        if item is None:
            raise OrderError(f"Nothing in the catalogue has {_QUANTITY} available: make reset")
        self._item = item
        body = order_body(item, _QUANTITY, self._email)
        self._order = self._post("/orders/create/", 201, json=body)
        self._token = {"Authorization": f"Bearer {self._order['token']}"}
        total = f"{self._order['total']} {item['currency']}"
        number = self._order["order_number"]
        self._say(f"Ordered   {_QUANTITY} x {item['title']}, {total}: order {number}")

    def open_payment(self) -> None:
        path = f"/orders/start-payment/{self._order['id']}/"
        payment = self._post(path, 200, 202, json={}, headers=self._token)
        payment_path = f"/orders/payments/{payment['payment_id']}/"
        while not payment.get("client_secret"):
            self._pause("The payment did not open", payment)
            payment = self._get(payment_path)
        self._client_secret = payment["client_secret"]
        self._intent = self._client_secret.split("_secret_")[0]
        self._say(f"Opened    payment {payment['payment_id']} at the provider: {self._intent}")

    def pay(self) -> None:
        """Confirm as a browser does: with the publishable key and the client secret."""
        provider = self._state["base_urls"]["provider"]
        answer = requests.post(
            f"{provider}/v1/payment_intents/{self._intent}/confirm",
            data={
                "client_secret": self._client_secret,
                "payment_method": "pm_card_visa",
                "return_url": self._web,
            },
            headers={"Authorization": f"Bearer {self._state['publishable_key']}"},
            timeout=_SECONDS,
        )
        self._say(f"Confirmed with a test card: {_expect(answer, 200)['status']}")

    def see_paid(self) -> None:
        path = f"/orders/{self._order['id']}/"
        while (order := self._get(path))["status"] != "paid":
            self._pause("The order is not paid", order["status"])
        self._say("Paid      says the shop")

    def see_one_mail(self) -> None:
        mail = self._state["base_urls"]["mail"]
        if mail is None:
            return self._say("Mailed?   cannot be checked: SMTP_URL delivers for real")
        while not (mails := self._mails(mail)):
            self._pause("No mail arrived", self._email)
        if len(mails) > 1:
            raise OrderError(f"{len(mails)} mails arrived instead of one: {mails}")
        return self._say(f"Mailed    once to {self._email}: {mails[0]['subject']}")

    def see_stock(self) -> None:
        before = self._item["available"]
        after = next(
            item["available"] for item in catalogue(self._web) if item["sku"] == self._item["sku"]
        )
        if after != before - _QUANTITY:
            raise OrderError(f"Stock went from {before} to {after}, not down by {_QUANTITY}")
        self._say(f"Counted   stock {before} -> {after}")

    def see_ledger(self) -> None:
        control = self._state["provider_control_url"]
        if control is None:
            return self._say("Charged?  look at the provider's dashboard: it is the real one")
        ledger = _expect(requests.get(f"{control}/ledger", timeout=_SECONDS), 200)
        charged = [
            charge["amount_captured"]
            for charge in ledger["charges"]
            if charge["payment_intent"] == self._intent
        ]
        total_minor = int(self._order["total"].replace(".", ""))
        if charged != [total_minor]:
            raise OrderError(f"The provider charged {charged}, the order says {total_minor}")
        return self._say(f"Charged   {total_minor} minor units, says the provider's ledger")

    def _mails(self, mail: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{mail}/messages", timeout=_SECONDS)
        return [each for each in _expect(answer, 200) if each["to"] == self._email]

    def _get(self, path: str) -> Any:
        answer = requests.get(f"{self._web}{path}", headers=self._token, timeout=_SECONDS)
        return _expect(answer, 200)

    def _post(self, path: str, *statuses: int, **request: Any) -> Any:
        headers = {"Idempotency-Key": secrets.token_hex(16), **request.pop("headers", {})}
        url = f"{self._web}{path}"
        answer = requests.post(url, headers=headers, timeout=_SECONDS, **request)
        return _expect(answer, *statuses)

    def _pause(self, complaint: str, found: object) -> None:
        if time.monotonic() > self._deadline:
            raise OrderError(f"{complaint} within {_SECONDS} s: {found}")
        time.sleep(_POLL_SECONDS)


def _expect(answer: requests.Response, *statuses: int) -> Any:
    if answer.status_code not in statuses:
        asked = f"{answer.request.method} {answer.url}"
        raise OrderError(f"{asked} answered {answer.status_code}: {answer.text[:500]}")
    return answer.json()
