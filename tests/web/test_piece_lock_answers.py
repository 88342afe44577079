"""What the piece lock makes of Redis's answers alone: here Redis is a fake whose time can pass."""

from collections.abc import Iterator

import fakeredis
import pytest
from redis import RedisError

from tasks.doorbell import channel
from web.piece_lock import BeingBoughtError, PieceLock

KEY = channel("piece:VASE")


@pytest.fixture
def redis() -> Iterator[fakeredis.FakeRedis]:
    with fakeredis.FakeRedis() as fake:
        yield fake


@pytest.fixture
def lock(redis: fakeredis.FakeRedis) -> PieceLock:
    return PieceLock(redis)


def test_a_lock_that_is_never_given_back_ends_by_itself(
    redis: fakeredis.FakeRedis, lock: PieceLock
) -> None:
    with lock.held(["VASE"]):
        assert 0 < redis.pttl(KEY) <= 5_000


def test_a_lock_that_another_has_taken_over_is_left_to_them(
    redis: fakeredis.FakeRedis, lock: PieceLock
) -> None:
    with lock.held(["VASE"]):
        redis.set(KEY, "of somebody else")  # ours had expired

    assert redis.get(KEY) == b"of somebody else"


def test_a_wiped_redis_lets_the_next_one_in(redis: fakeredis.FakeRedis, lock: PieceLock) -> None:
    with lock.held(["VASE"]):
        redis.flushall()
        with lock.held(["VASE"]):
            pass


def test_two_cannot_hold_one_piece_and_different_pieces_do_not_meet(lock: PieceLock) -> None:
    with lock.held(["VASE"]), lock.held(["OIL"]):
        with pytest.raises(BeingBoughtError) as refused, lock.held(["VASE"]):
            pass
        assert refused.value.sku == "VASE"


def test_a_redis_that_errs_is_done_without_and_left_in_peace(
    redis: fakeredis.FakeRedis, lock: PieceLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def err(name: str, *_arguments: object, **_options: object) -> None:
        asked.append(name)
        raise RedisError("out of memory")

    monkeypatch.setattr(redis, "set", err)
    for _ in range(3):
        with lock.held(["VASE"]):
            pass

    assert asked == [KEY]
