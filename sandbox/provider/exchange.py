"""One request of the API with its faults around it, and what is remembered of it."""

import socket
from collections.abc import Callable

from flask import Response, request

from sandbox.provider.account import Account
from sandbox.provider.faults import Fault
from sandbox.provider.refusal import Document, Refusal

Answer = tuple[int, Document]
CUT: Answer = (0, {})


class FaultyExchange:
    """Meets the faults of its endpoint: before the work, after it, or in place of its answer."""

    def __init__(self, account: Account, endpoint: str) -> None:
        self.account, self.name = account, endpoint
        self.fault: Fault | None = None
        self.retry_after: int | None = None

    def refuse_too_many(self, refusal: Refusal, retry_after: int) -> None:
        """Raise if the endpoint has had as many requests as it takes within a second."""
        with self.account.store.transaction():
            most = self.account.store.configuration()["requests_per_second"]
        if not self.account.limits.admits(self.name, most):
            self.retry_after = retry_after
            raise refusal

    def run_with_faults(
        self, run: Callable[[], Answer], failure: Callable[[Fault], Refusal]
    ) -> Answer:
        """What `run` answers, or CUT, or a raised failure, as was asked for."""
        self.fault = fault = self.account.faults.meet(self.name)
        self.retry_after = fault.retry_after if fault else None
        if fault and fault.fault == "cut":
            return CUT
        if fault and fault.fault == "fail_before":
            raise failure(fault)
        answer = run()
        if fault and fault.fault == "fail_after":
            raise failure(fault)
        return CUT if fault and fault.fault == "accept_then_cut" else answer

    def remember(self, status: int, **details: object) -> None:
        """Write the request down for the tests, without its secrets."""
        self.account.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "endpoint": self.name,
                "status": status,
                "fault": self.fault.fault if self.fault else None,
                **details,
            }
        )

    def finish(self, response: Response) -> Response:
        """The response with when to come again, if that was asked for."""
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


def cut_the_line() -> None:
    """End the connection instead of answering."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
