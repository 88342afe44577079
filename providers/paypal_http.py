"""PayPal's API over HTTP: a token of our own, no retries, and what an answer means."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

from providers.base import OutcomeUnknown, RateLimited, Rejected

_CONNECT_SECONDS = 3
_RENEW_BEFORE_SECONDS = 60
# The documents: "best to space out" such requests. Something is done there at this moment.
_BUSY = {"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"}


class Refused(Rejected):
    """PayPal refused a request; `issue` is its own word for why, `debug_id` names the answer."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        details = answer.get("details") or [{}]
        named = answer.get("name") or answer.get("error") or f"status {status}"
        self.status = status
        self.issue = str(details[0].get("issue") or named)
        self.debug_id = str(answer.get("debug_id") or "")
        words = details[0].get("description") or answer.get("message") or ""
        super().__init__(f"{self.issue}: {words}")


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float


class Client:
    """Calls under one client id; each thread keeps connections of its own."""

    def __init__(self, base: str, client_id: str, secret: str, seconds: float) -> None:
        self._base, self._credentials = base, (client_id, secret)
        self._timeout = (_CONNECT_SECONDS, seconds)
        self._own = threading.local()
        self._token: _Token | None = None

    def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """What PayPal answers; raises `Refused`, `RateLimited` or `OutcomeUnknown`."""
        headers = {"Prefer": "return=representation", "Content-Type": "application/json"}
        if key is not None:
            headers["PayPal-Request-Id"] = key
        token = self._present_token()
        try:
            return self._send(method, path, json=body, headers=headers | _bearer(token))
        except Refused as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        # It was taken back before its time; nothing has happened.
        self._token = None
        headers |= _bearer(self._present_token())
        return self._send(method, path, json=body, headers=headers)

    def _present_token(self) -> str:
        """Two threads may both take a new one at a time: either is as good as the other."""
        token = self._token
        if token is None or time.monotonic() > token.renew_at:
            token = self._token = self._new_token()
        return token.value

    def _new_token(self) -> _Token:
        asked_at = time.monotonic()
        answer = self._send(
            "POST",
            "/v1/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=self._credentials,
        )
        lasts = float(answer["expires_in"]) - _RENEW_BEFORE_SECONDS
        return _Token(str(answer["access_token"]), asked_at + lasts)

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method,
                f"{self._base}{path}",
                timeout=self._timeout,
                allow_redirects=False,
                **options,
            )
            words = answer.json() if answer.content else {}
        except requests.RequestException as error:  # also an answer that is no JSON
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
        if answer.ok and isinstance(words, dict):
            return words
        raise _failure(answer, words if isinstance(words, dict) else {})

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        session: requests.Session = self._own.session
        return session


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _failure(answer: requests.Response, words: Mapping[str, Any]) -> Exception:
    status = answer.status_code
    refused = Refused(status, words)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = answer.headers.get("Retry-After", "")
        return RateLimited(str(refused), float(seconds) if seconds.isdecimal() else None)
    is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if not is_ours or status == HTTPStatus.CONFLICT or refused.issue in _BUSY:
        return OutcomeUnknown(f"{status} {refused}")
    return refused
