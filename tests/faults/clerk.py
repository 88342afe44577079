"""A member of staff at the desk, whose acts have keys as those of buyers have."""

import secrets

import requests

from tests.faults.load import persist


class Clerk:
    """Signs in once; may be used by several threads."""

    def __init__(self, web: str, email: str, password: str) -> None:
        self._web = web
        body = {"email": email, "password": password}
        answer = persist(lambda: requests.post(f"{web}/auth/login/", json=body, timeout=10))
        assert answer.status_code == 200, answer.text
        self._cookies = answer.cookies

    def refund(self, payment_id: int, amount: str | None = None) -> requests.Response:
        """Have all that is left of a payment given back, or this much; asked until answered."""
        body = {} if amount is None else {"amount": amount}
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return persist(
            lambda: requests.post(
                f"{self._web}/orders/refund/{payment_id}/",
                json=body,
                headers=headers,
                cookies=self._cookies,
                timeout=10,
            )
        )
