"""Sweeps that meet each other, and sweeps that die in mid-batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from models import placing, stock
from models.storing import NewLine, NewOrder
from tests import shop
from tests.contention import storm
from tests.contention.processes import Gated, gated
from tests.contention.storm import Size

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(180)]


@pytest.fixture
def print_id(app: Flask, size: Size) -> int:
    """An item, all units of which are held by overdue orders without a payment."""
    item_id = shop.make_item("PRINT", size.overdue)
    line = NewLine(sku="PRINT", unit_price_minor=1999, quantity=1)
    with shop.database() as session:
        for number in range(size.overdue):
            new = NewOrder(
                email=f"buyer-{number}@example.com",
                currency="EUR",
                lines=[line],
                addresses={"shipping": shop.ADDRESS},
            )
            placing.place(session, new, chargeable=range(10**6), who="guest")
    shop.let_pass(minutes=16)
    return item_id


def _waiting() -> int:
    """How many wait for a lock."""
    ((waiting,),) = shop.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return int(waiting)


@contextmanager
def _stopped_before_the_stock(item_id: int, *sweeps: Gated) -> Iterator[None]:
    """Let them go, and hold them up where they have ended orders and come to their stock."""
    for sweep in sweeps:
        sweep.wait()
    with shop.database() as session:
        stock.lock(session, [item_id])
        for sweep in sweeps:
            sweep.go()
        shop.await_that(lambda: _waiting() == len(sweeps))
        yield


def _states() -> list[tuple[str, int]]:
    return shop.sql("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state")


def test_two_sweeps_at_once_close_each_order_once(print_id: int, size: Size) -> None:
    with gated("sweep") as one, gated("sweep") as other:
        with _stopped_before_the_stock(print_id, one, other):
            pass
        closed = one.result(), other.result()

    assert sum(closed) == size.overdue
    assert min(closed) > 0, "they never met"
    assert _states() == [("expired", size.overdue)]
    assert storm.units() == [(size.overdue, 0)]
    assert storm.broken() == []


@pytest.mark.usefixtures("unchecked")
def test_two_sweeps_without_their_guards_release_twice(print_id: int) -> None:
    with gated("sweep", "end_what_has_ended") as one, gated("sweep", "end_what_has_ended") as other:
        with _stopped_before_the_stock(print_id, one, other):
            pass
        one.result(), other.result()

    assert any("held_within_stock" in promise for promise in storm.broken())


def test_of_a_batch_that_dies_with_its_sweep_nothing_has_happened(
    print_id: int, size: Size
) -> None:
    with gated("sweep") as sweep, gated("sweep") as next_sweep:
        with _stopped_before_the_stock(print_id, sweep):
            sweep.kill()
        shop.await_that(lambda: _waiting() == 0)

        assert _states() == [("pending", size.overdue)]
        assert storm.units() == [(size.overdue, size.overdue)]
        next_sweep.wait()
        next_sweep.go()
        assert next_sweep.result() == size.overdue
    assert storm.units() == [(size.overdue, 0)]
    assert storm.broken() == []


@pytest.mark.usefixtures("unchecked")
def test_a_sweep_that_commits_before_it_releases_leaves_holds_behind(print_id: int) -> None:
    guard = "release_in_a_second_transaction"
    with gated("sweep", guard) as sweep, _stopped_before_the_stock(print_id, sweep):
        sweep.kill()

    assert any("ended_holds_nothing" in promise for promise in storm.broken())
