"""All workers together draw no more tokens than a bucket holds, with and without Redis."""

import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from redis import Redis

import settings
from sandbox.embedded import free_port
from tasks.bucket import Buckets, Draw, OwnBuckets, ThrottledError
from tasks.doorbell import channel, redis_client
from tests import shop

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000
# A token every ten seconds: a test is over before the next one comes.
WHOLE = Draw("bucket:trial", 10 * SECOND, 40 * SECOND)
HALF = Draw("bucket:trial", 10 * SECOND, 20 * SECOND)
OTHER = Draw("bucket:other", 10 * SECOND, 40 * SECOND)


@pytest.fixture
def redis() -> "Iterator[Redis]":
    with redis_client(timeout=5) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def buckets(redis: "Redis") -> Buckets:
    return Buckets()


def drawn(buckets: Buckets, *draws: Draw, line: str = "line:trial") -> bool:
    try:
        buckets.draw(draws, line, 0.0)
    except ThrottledError:
        return False
    return True


def refused(buckets: Buckets, *draws: Draw) -> float:
    """For how long a call is put off that finds no token."""
    with pytest.raises(ThrottledError) as put_off:
        buckets.draw(draws, "line:trial", 0.0)
    return put_off.value.pause


# --- by Redis's own clock, over threads and processes ---

CROWD = """
import sys
from tasks.bucket import Buckets, Draw, ThrottledError
from tasks.doorbell import redis_client
from tests import shop

per_second, people, goal = (int(word) for word in sys.argv[1:])
redis, buckets, draw = redis_client(timeout=5), Buckets(), Draw.of("bucket:crowd", per_second)

def ask(_number):
    spans = []
    while len(spans) < goal:
        before = redis.time()
        try:
            buckets.draw([draw], "line:crowd", 0.0)
        except ThrottledError:
            continue
        spans.append((before, redis.time()))
    return spans

redis.incr("crowds")
while int(redis.get("crowds")) < 2:
    pass
for spans in shop.at_once(ask, people):
    for (since, before), (until, after) in spans:
        print(since * 1_000_000 + before, until * 1_000_000 + after)
"""

Span = tuple[int, int]


def _crowds(per_second: int, people: int = 3, goal: int = 10) -> list[Span]:
    """Between which moments of Redis's each token was drawn by the threads of two processes."""
    words = [sys.executable, "-c", CROWD, *(str(number) for number in (per_second, people, goal))]
    crowds = [
        subprocess.Popen(
            words, cwd=ROOT, env=settings.environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told = "".join(crowd.communicate(timeout=60)[0] for crowd in crowds).splitlines()
    assert len(told) == 2 * people * goal
    return sorted((int(since), int(until)) for since, until in map(str.split, told))


def _excess(spans: Sequence[Span], per_second: int) -> float:
    """By how many tokens the worst window of time holds more than a bucket gives."""
    windows = ((since, max(until, other)) for (since, until), (_, other) in combinations(spans, 2))
    return max(
        sum(begin <= since and until <= end for since, until in spans)
        - per_second * (0.2 + (end - begin) / SECOND)
        for begin, end in windows
    )


def test_threads_of_two_processes_together_draw_no_more_than_one_bucket_gives(
    redis: "Redis",
) -> None:
    assert _excess(_crowds(per_second=50), per_second=50) <= 0


def test_without_the_limit_the_same_crowd_would_draw_too_many(redis: "Redis") -> None:
    assert _excess(_crowds(per_second=1_000_000), per_second=50) > 10


def test_two_who_share_a_redis_share_its_buckets(redis: "Redis") -> None:
    several = [Buckets(), Buckets()]

    answers = shop.at_once(lambda number: drawn(several[number % 2], WHOLE), 12)

    assert answers.count(True) == 4


# --- what a draw takes ---


def test_calls_that_can_wait_leave_tokens_to_those_that_go_first(buckets: Buckets) -> None:
    assert [drawn(buckets, HALF) for _ in range(4)] == [True, True, False, False]
    assert [drawn(buckets, WHOLE) for _ in range(4)] == [True, True, False, False]


def test_a_call_has_a_token_of_each_bucket_or_of_none(buckets: Buckets) -> None:
    while drawn(buckets, WHOLE):
        pass

    assert not drawn(buckets, OTHER, WHOLE)

    assert [drawn(buckets, OTHER) for _ in range(5)] == [True] * 4 + [False]


def test_a_token_that_comes_soon_is_waited_for(buckets: Buckets) -> None:
    quick = Draw.of("bucket:trial", 20)
    while drawn(buckets, quick):
        pass

    for _ in range(3):
        buckets.draw([quick], "line:trial", 0.2)


def test_a_slow_bucket_still_holds_a_token() -> None:
    assert Draw.of("bucket:trial", 1, 0.5) == ("bucket:trial", SECOND, SECOND)
    assert Draw.of("bucket:trial", 20) == ("bucket:trial", SECOND // 20, SECOND // 5)
    assert Draw.of("bucket:trial", 20, 0.5) == ("bucket:trial", SECOND // 20, SECOND // 10)


def test_what_is_in_redis_bears_the_shops_name_and_goes_by_itself(
    buckets: Buckets, redis: "Redis"
) -> None:
    while drawn(buckets, WHOLE):
        pass

    keys = redis.keys("*")
    names = {channel("bucket:trial").encode(), channel("line:trial").encode()}
    assert set(keys) == names
    assert all(0 < redis.pttl(key) <= 62_000 for key in keys)


def test_redis_may_forget_its_scripts(buckets: Buckets, redis: "Redis") -> None:
    assert drawn(buckets, WHOLE)
    redis.script_flush()
    assert drawn(buckets, WHOLE)
    assert buckets._silent_until == 0.0


# --- when to come back ---


def test_a_crowd_is_told_to_come_back_in_a_row(buckets: Buckets) -> None:
    while drawn(buckets, WHOLE, line="line:elsewhere"):
        pass

    pauses = [refused(buckets, WHOLE) for _ in range(4)]

    for place, pause in enumerate(pauses, start=2):  # at the first moment comes whoever is quick
        assert 10 * (place - 1) < pause <= 1.25 * 10 * place


def test_nobody_is_told_to_come_back_later_than_in_a_minute_or_so(buckets: Buckets) -> None:
    while drawn(buckets, WHOLE):
        pass

    pauses = [refused(buckets, WHOLE) for _ in range(20)]

    assert max(pauses) <= 75
    assert len(set(pauses)) == len(pauses)


def test_an_emptied_bucket_gives_nothing_for_a_while(buckets: Buckets) -> None:
    buckets.empty(WHOLE, 20.0)

    assert refused(buckets, WHOLE) > 20
    assert not drawn(buckets, HALF)
    assert drawn(buckets, OTHER)


def test_emptying_a_bucket_for_less_brings_no_token_back(buckets: Buckets, redis: "Redis") -> None:
    buckets.empty(WHOLE, 25.0)
    so_far = redis.get(channel(WHOLE.bucket))
    buckets.empty(WHOLE, 1.0)

    assert redis.get(channel(WHOLE.bucket)) == so_far


def test_a_moment_of_a_clock_that_was_set_back_stops_nobody(
    buckets: Buckets, redis: "Redis"
) -> None:
    seconds, _ = redis.time()
    redis.set(channel(WHOLE.bucket), (seconds + 86_400) * SECOND)

    assert [drawn(buckets, WHOLE) for _ in range(5)] == [True] * 4 + [False]


def test_a_bucket_can_be_emptied_for_the_longest_pause(buckets: Buckets) -> None:
    buckets.empty(WHOLE, 60.0)

    assert not drawn(buckets, WHOLE)


# --- without Redis ---


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Buckets]:
    def point(port: int) -> Buckets:
        chosen = replace(settings.current(), redis_url=f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr("settings.current", lambda: chosen)
        return Buckets()

    return point


def test_without_redis_a_process_draws_at_a_quarter_of_the_rate(
    point_at: Callable[[int], Buckets], caplog: pytest.LogCaptureFixture
) -> None:
    alone = point_at(free_port())

    with caplog.at_level(logging.WARNING):
        answers = [drawn(alone, WHOLE) for _ in range(3)]

    assert answers == [True, False, False]  # a token every forty seconds
    assert refused(alone, WHOLE) > 40
    assert drawn(alone, OTHER._replace(depth=SECOND))
    assert [record.message[:28] for record in caplog.records] == ["providers are asked slowly, "]


def test_a_redis_that_never_answers_is_left_in_peace_for_a_while(
    point_at: Callable[[int], Buckets],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        alone = point_at(deaf.getsockname()[1])
        assert [drawn(alone, WHOLE) for _ in range(50)].count(True) == 1
        alone.empty(OTHER, 20.0)
        assert not drawn(alone, OTHER)

        deaf.setblocking(False)
        deaf.accept()[0].close()
        with pytest.raises(BlockingIOError):
            deaf.accept()


def test_a_bucket_can_be_emptied_while_redis_goes_away(
    point_at: Callable[[int], Buckets],
) -> None:
    alone = point_at(free_port())
    alone.empty(WHOLE, 20.0)

    assert refused(alone, WHOLE) > 20


def test_when_redis_is_back_all_share_again(buckets: Buckets, redis: "Redis") -> None:
    while drawn(buckets, WHOLE):
        pass
    alone = Buckets()
    alone._silent_until = float("inf")
    assert drawn(alone, WHOLE)

    alone._silent_until = 0.0

    assert not drawn(alone, WHOLE)


def test_threads_of_a_process_that_is_alone_share_its_buckets() -> None:
    own = OwnBuckets()

    waits = shop.at_once(lambda _: own.ask([WHOLE, OTHER], "line:trial", 0), 12)

    assert waits.count(0) == 1
    assert max(waits) <= 60 * SECOND
