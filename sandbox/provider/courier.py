"""Delivers events to the webhook endpoint: signed, in parallel, again and again until a 2xx."""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from sandbox.provider.account import Account
from sandbox.provider.refusal import Document

THREADS = 16
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 30.0
LOOK_AGAIN_SECONDS = 0.2
CONNECT_SECONDS, ANSWER_SECONDS = 3.05, 20.0
SUCCESS = 2  # as in 2xx
KEPT_ATTEMPTS, KEPT_BODY = 20, 500


def send(account: Account, event_id: str) -> Document:
    """Post one event once and return the endpoint's answer; status 0 when there was none."""
    store = account.store
    with store.transaction():
        event, url = account.wording.find(store, event_id), store.configuration()["webhook_url"]
        if event is None or url is None:
            return {"status": 0, "body": "nothing to send, or nowhere to send it"}
        payload = json.dumps(event, indent=2, ensure_ascii=False).encode()
        signature = account.wording.sign(store, payload)
    headers = {"Content-Type": "application/json; charset=utf-8", **signature}
    try:
        return _post(url, payload, headers)
    except (OSError, HTTPException) as error:
        return {"status": 0, "body": type(error).__name__}


def _post(url: str, payload: bytes, headers: Mapping[str, str]) -> Document:
    """Post on a connection of its own: a client library would cost more than all the rest."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("POST", path, payload, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    finally:
        connection.close()
    return {"status": answer.status, "body": body[:KEPT_BODY]}


class Courier:
    """Sends whatever delivery is due, from threads that end with the process."""

    def __init__(self, account: Account, settle: Callable[[], None]) -> None:
        self._account, self._store, self._settle = account, account.store, settle
        self._due: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

    def start(self) -> None:
        """Take up what a killed process had begun, and go on from there."""
        with self._store.transaction():
            self._store.rows("UPDATE delivery SET status = 'pending' WHERE status = 'sending'")
        for work in (self._watch, *[self._deliver] * THREADS):
            threading.Thread(target=work, daemon=True).start()

    def _watch(self) -> None:
        settles_at = time.monotonic()
        while True:
            self._store.changed.wait(LOOK_AGAIN_SECONDS)
            self._store.changed.clear()
            if time.monotonic() >= settles_at:
                self._settle()
                settles_at = time.monotonic() + LOOK_AGAIN_SECONDS
            for number, event_id in self._claim():
                self._due.put((number, event_id))

    def _claim(self) -> list[tuple[int, str]]:
        with self._store.transaction():
            rows = self._store.rows(
                """
                UPDATE delivery SET status = 'sending'
                WHERE status = 'pending' AND due <= :now RETURNING id, event
                """,
                now=time.time(),
            )
        return [(int(str(number)), str(event)) for number, event in rows]

    def _deliver(self) -> None:
        while True:
            number, event_id = self._due.get()
            self._record(number, event_id, send(self._account, event_id))

    def _record(self, number: int, event_id: str, answer: Document) -> None:
        taken = answer["status"] // 100 == SUCCESS
        with self._store.transaction():
            for (before,) in self._store.rows(
                "SELECT attempts FROM delivery WHERE id = :id", id=number
            ):
                attempts = [*json.loads(str(before)), answer]
                self._store.rows(
                    "UPDATE delivery SET status = :status, due = :due, attempts = :attempts "
                    "WHERE id = :id",
                    status="delivered" if taken else "pending",
                    due=time.time() + wait_after(len(attempts)),
                    attempts=json.dumps(attempts[-KEPT_ATTEMPTS:]),
                    id=number,
                )
                if taken:
                    self._account.wording.delivered(self._store, event_id)


def wait_after(attempts: int) -> float:
    """Return how many seconds lie between a failed attempt and the next one."""
    return float(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempts - 1)))
