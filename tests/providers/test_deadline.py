"""The whole of a provider call is bounded, however it drags on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

import settings
from models.intents import PaymentRequest
from providers.base import OutcomeUnknown
from providers.stripe import Stripe


@pytest.fixture
def trickling() -> Iterator[str]:
    """A server that sends its answer byte by byte, each well within any read time-out."""
    stop = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            while not stop.wait(0.05):
                connection.sendall(b"H")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


def test_an_answer_that_trickles_is_no_answer(trickling: str) -> None:
    chosen = replace(settings.current(), stripe_api_base=trickling, provider_deadline_seconds=0.5)
    request = PaymentRequest(
        payment_id=1,
        order_id=1,
        order_number="A",
        provider="stripe",
        provider_payment_id="pi_1",
        amount_minor=100,
        currency="EUR",
        key="k",
        age=timedelta(0),
    )

    with pytest.raises(OutcomeUnknown, match="no whole answer"):
        Stripe(chosen).fetch(request)
