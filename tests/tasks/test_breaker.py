"""A peer that is down is left in peace, and what waited for it goes on when it is back."""

import pytest

from tasks.breaker import Breaker, PeerDownError


class NoAnswerError(Exception):
    pass


class RefusedError(Exception):
    pass


class Peer:
    """Answers, or fails as told; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = NoAnswerError()

    def __call__(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return "yes"


def _breaker(pause: float = 60.0) -> tuple[Breaker, list[str]]:
    closed: list[str] = []
    return Breaker("peer", (NoAnswerError,), lambda: closed.append("closed"), pause), closed


def _fail(breaker: Breaker, peer: Peer, times: int) -> None:
    for _ in range(times):
        with pytest.raises(NoAnswerError):
            breaker.call(peer)


def test_after_five_failures_in_a_row_a_peer_is_not_asked() -> None:
    breaker, _ = _breaker()
    peer = Peer()
    _fail(breaker, peer, 5)

    with pytest.raises(PeerDownError) as down:
        breaker.call(peer)

    assert peer.asked == 5
    assert 0 < down.value.pause <= 60


def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    breaker, closed = _breaker()
    peer = Peer()
    for _ in range(3):
        _fail(breaker, peer, 4)
        peer.error = None
        assert breaker.call(peer) == "yes"
        peer.error = NoAnswerError()

    assert closed == []


def test_a_refusal_is_an_answer() -> None:
    breaker, _ = _breaker()
    peer = Peer()
    peer.error = RefusedError()
    for _ in range(20):
        with pytest.raises(RefusedError):
            breaker.call(peer)

    assert peer.asked == 20


def test_after_the_pause_one_call_tries_and_its_success_closes_the_breaker() -> None:
    breaker, closed = _breaker(pause=0.0)
    peer = Peer()
    _fail(breaker, peer, 6)  # the sixth was the try, and failed
    peer.error = None

    assert breaker.call(peer) == "yes"
    assert breaker.call(peer) == "yes"
    assert closed == ["closed"]


def test_while_one_call_tries_the_others_wait() -> None:
    breaker, _ = _breaker(pause=0.05)
    peer = Peer()
    _fail(breaker, peer, 5)
    peer.error = None

    def trying() -> str:
        with pytest.raises(PeerDownError):
            breaker.call(peer)
        return peer()

    while True:
        try:
            assert breaker.call(trying) == "yes"
        except PeerDownError:
            continue
        break


def test_what_cannot_be_pulled_forward_costs_no_answer() -> None:
    def broken() -> None:
        raise RuntimeError

    breaker = Breaker("peer", (NoAnswerError,), broken, pause=0.0)
    peer = Peer()
    _fail(breaker, peer, 5)
    peer.error = None

    assert breaker.call(peer) == "yes"
