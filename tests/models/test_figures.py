"""What the overview draws: orders, money and the time to pay, slot by slot."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from flask.testing import FlaskClient

from models import days, figures, job
from models.figures import Slot
from tests import shop


def _last_day() -> list[Slot]:
    with shop.database() as session:
        return figures.counted(session, "hour", figures.last(session, "hour", 24))


def _last_month() -> list[Slot]:
    with shop.database() as session:
        return days.last_month(session)


def _as_counted() -> list[Slot]:
    with shop.database() as session:
        return figures.counted(session, "day", figures.last(session, "day", 30))


def _keep() -> int:
    with shop.database() as session:
        return days.keep(session)


@pytest.mark.parametrize(
    ("step", "count", "look"), [("day", 30, _last_month), ("hour", 24, _last_day)]
)
def test_a_slot_tells_its_orders_its_money_and_how_long_they_took_to_pay(
    client: FlaskClient, step: figures.Step, count: int, look: Callable[[], list[Slot]]
) -> None:
    shop.make_item()
    ids = [shop.place(client)["id"] for _ in range(4)]
    moment = f"date_trunc('{step}', clock_timestamp(), 'UTC') - interval '2 {step}s 1 minute'"
    shop.sql(f"UPDATE orders SET created_at = {moment} RETURNING id")
    for order_id, seconds in zip(ids, (10, 20, 30), strict=False):
        paid = f"UPDATE orders SET paid_at = {moment} + make_interval(secs => :s) WHERE id = :id"
        shop.sql(f"{paid} RETURNING id", s=seconds, id=order_id)

    slots = look()

    (busy,) = [slot for slot in slots if slot.placed]
    assert (busy.placed, busy.paid) == (4, 3)
    assert (busy.half_paid_in, busy.most_paid_in) == (20.0, 29.0)
    assert busy.revenue == {"EUR": 3 * 3998}
    assert len(slots) == count
    lengths = {later.begins - slot.begins for slot, later in pairwise(slots)}
    assert lengths == {timedelta(**{f"{step}s": 1})}


# --- days that are over ---


def _placed(client: FlaskClient, *, days_ago: int, at: timedelta = timedelta(hours=12)) -> int:
    order_id: int = shop.place(client)["id"]
    moment = "date_trunc('day', clock_timestamp(), 'UTC') - make_interval(days => :d) + :at"
    shop.sql(
        f"UPDATE orders SET created_at = {moment} WHERE id = :id RETURNING id",
        d=days_ago,
        at=at,
        id=order_id,
    )
    return order_id


def _pay(order_id: int, *, moment: str = "clock_timestamp()") -> None:
    shop.sql(f"UPDATE orders SET paid_at = {moment} WHERE id = :id RETURNING id", id=order_id)


def _kept() -> list[tuple[datetime, int, int, dict[str, int]]]:
    rows = shop.sql("SELECT begins, placed, paid, revenue FROM day_figures ORDER BY begins")
    return [tuple(row) for row in rows]


def test_kept_days_are_read_and_not_counted_again(client: FlaskClient) -> None:
    shop.make_item()
    _placed(client, days_ago=3)
    _keep()
    shop.sql("UPDATE day_figures SET placed = 77 WHERE placed > 0 RETURNING begins")

    assert [slot.placed for slot in _last_month() if slot.placed] == [77]
    assert _keep() in (0, 1)


def test_a_day_is_kept_when_its_last_order_must_be_there(client: FlaskClient) -> None:
    to_midnight = "date_trunc('day', clock_timestamp(), 'UTC') + interval '1 day'"
    ((left,),) = shop.sql(f"SELECT {to_midnight} - clock_timestamp()")
    shop.let_pass(seconds=left.total_seconds() + 30 * 60)
    assert _keep() == 28

    shop.let_pass(seconds=31 * 60)
    assert _keep() == 1
    assert len(_kept()) == 29


def test_what_is_kept_of_a_day_is_what_its_orders_say(client: FlaskClient) -> None:
    shop.make_item()
    for seconds in (10, 20, 30):
        _pay(_placed(client, days_ago=2), moment=f"created_at + interval '{seconds} s'")
    _placed(client, days_ago=2)
    _pay(_placed(client, days_ago=9, at=timedelta(hours=23, minutes=59)), moment="created_at")
    before = _as_counted()
    shop.let_pass(hours=2)

    assert _keep() > 0
    assert _last_month() == _as_counted() == before
    assert all(slot.revenue["USD"] == 0 for slot in _last_month()), "nothing came in of others"


def test_an_order_that_is_paid_when_its_day_is_over_has_the_day_counted_again(
    client: FlaskClient,
) -> None:
    shop.make_item()
    late, _ = _placed(client, days_ago=5), _placed(client, days_ago=7)
    _keep()
    shop.let_pass(hours=3)
    assert _keep() in (0, 1), "another day may be over by now"
    known = "SELECT min(right_at) > clock_timestamp() + interval '2 h' FROM day_figures"
    assert shop.sql(known) == [(True,)], "whoever looks asks about the time since then alone"

    _pay(late, moment="clock_timestamp() + interval '3 h'")

    assert [(slot.placed, slot.paid) for slot in _last_month() if slot.placed] == [(1, 0), (1, 1)]
    assert _last_month() == _as_counted()
    assert _keep() == 1
    assert [(placed, paid) for _, placed, paid, _ in _kept() if placed] == [(1, 0), (1, 1)]


def test_a_payment_that_commits_late_is_not_missed(client: FlaskClient) -> None:
    """Its moment may be before the days were last looked at, which it was not there to see."""
    shop.make_item()
    late = _placed(client, days_ago=5)
    _keep()

    _pay(late, moment="clock_timestamp() - interval '10 s'")

    assert [slot.paid for slot in _last_month() if slot.placed] == [1]


def test_days_that_nobody_looks_at_any_more_go(client: FlaskClient) -> None:
    shop.make_item()
    _placed(client, days_ago=20)
    _keep()
    shop.let_pass(days=40)
    _keep()

    assert len(_kept()) in (28, 29)
    assert not any(placed for _, placed, _, _ in _kept())
    assert _last_month() == _as_counted()


def test_the_job_keeps_them(client: FlaskClient) -> None:
    shop.make_item()
    with shop.database() as session:
        job.stage(session, "maintenance.count_days", key="count-days:1")

    shop.run_jobs("maintenance.count_days")

    assert len(_kept()) in (28, 29)
