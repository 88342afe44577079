"""Buyers with good clients: each write has a key and is repeated until it is answered."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from tests.shop import order_body

if TYPE_CHECKING:
    from tests.faults.harness import Harness

_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.1


class Buyer:
    """One buyer and their one order; what is stored here was acknowledged by the shop."""

    def __init__(
        self, web: str, provider: str, email: str, *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        self.web = web
        self.email = email
        self.key = secrets.token_hex(16)
        self.order: dict[str, Any] = {}
        self.payment: dict[str, Any] = {}
        self.has_paid = False
        self._provider, self._patience_seconds = provider, patience

    def buy(self) -> None:
        """Order, start the payment and pay."""
        self.place()
        self.start_payment()
        self.follow()
        self.pay()

    def place(self, **changes: Any) -> None:
        """Order one T-shirt, or what `changes` say, until the shop has taken it."""
        answer = persist(lambda: self.try_to_place(**changes))
        assert answer.status_code == 201, answer.text
        self.order = answer.json()

    def try_to_place(self, **changes: Any) -> requests.Response:
        """Ask once."""
        given = {"sku": "TSHIRT-BLUE", "quantity": 1, "guest_email": self.email, **changes}
        return self.post("/orders/create/", order_body(**given))

    def start_payment(self) -> None:
        """Have the payment opened, without waiting for it."""
        answer = persist(self.try_to_start_payment)
        assert answer.status_code in (200, 202), answer.text
        self.payment = answer.json()

    def try_to_start_payment(self) -> requests.Response:
        """Ask once."""
        return self.post(
            f"/orders/start-payment/{self.order['id']}/",
            {},
            Prefer="respond-async",
            **self._token,
        )

    def begin_anew(self) -> None:
        """Forget the payment that failed: what is asked next is another request."""
        self.key = secrets.token_hex(16)
        self.payment = {}

    def follow(self) -> None:
        """Wait until the payment can be paid."""
        path = f"{self.web}/orders/payments/{self.payment['payment_id']}/"
        deadline = time.monotonic() + self._patience_seconds
        while not self.payment.get("client_secret"):
            assert time.monotonic() < deadline, self.payment
            answer = persist(lambda: requests.get(path, headers=self._token, timeout=10))
            assert answer.status_code == 200, answer.text
            self.payment = answer.json()
            time.sleep(_PAUSE_SECONDS)

    def pay(self) -> None:
        """Pay as a browser does; the shop must call the order paid then."""
        self.try_to_pay().raise_for_status()
        self.has_paid = True

    def try_to_pay(self, card: str = "pm_card_visa") -> requests.Response:
        """Ask the provider once."""
        return requests.post(
            f"{self._provider}/v1/payment_intents/{self.intent_id}/confirm",
            data={
                "client_secret": self.payment["client_secret"],
                "payment_method": card,
                "return_url": "http://127.0.0.1/back",
            },
            headers={"Authorization": f"Bearer {self.payment['publishable_key']}"},
            timeout=30,
        )

    @property
    def intent_id(self) -> str:
        """What the provider calls the payment."""
        secret: str = self.payment["client_secret"]
        return secret.partition("_secret_")[0]

    @property
    def payment_id(self) -> int:
        return int(self.payment["payment_id"])

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        """Ask once, with this buyer's key."""
        headers = {"Idempotency-Key": self.key, **headers}
        return requests.post(self.web + path, json=body, headers=headers, timeout=10)

    @property
    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.order['token']}"}


def persist(ask: Callable[[], requests.Response]) -> requests.Response:
    """The first answer that is more than "not now"; a lost one is no answer."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            answer = ask()
        except requests.RequestException as error:
            why = repr(error)
        else:
            if not _is_not_now(answer):
                return answer
            why = answer.text
        assert time.monotonic() < deadline, why
        time.sleep(_PAUSE_SECONDS)


def _is_not_now(answer: requests.Response) -> bool:
    return answer.status_code >= 500 or (not answer.ok and "Retry-After" in answer.headers)


@contextmanager
def load(product: "Harness", crowd: int = 4) -> Iterator[None]:
    """A crowd that buys, one order after another, for as long as the block runs."""
    is_over = threading.Event()
    failures: list[BaseException] = []

    def shop() -> None:
        try:
            while not is_over.is_set():
                product.buyer().buy()
                is_over.wait(0.2)  # the machine has other things to do as well
        except BaseException as error:  # noqa: BLE001 - shown below, by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=shop) for _ in range(crowd)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
