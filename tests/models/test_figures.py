"""What the overview draws: orders, money and the time to pay, slot by slot."""

from datetime import timedelta
from itertools import pairwise

import pytest
from flask.testing import FlaskClient

from models import figures
from tests import shop


@pytest.mark.parametrize(("step", "count"), [("day", 30), ("hour", 24)])
def test_a_slot_tells_its_orders_its_money_and_how_long_they_took_to_pay(
    client: FlaskClient, step: figures.Step, count: int
) -> None:
    shop.make_item()
    ids = [shop.place(client)["id"] for _ in range(4)]
    moment = f"date_trunc('{step}', clock_timestamp(), 'UTC') - interval '2 {step}s 1 minute'"
    shop.sql(f"UPDATE orders SET created_at = {moment} RETURNING id")
    for order_id, seconds in zip(ids, (10, 20, 30), strict=False):
        paid = f"UPDATE orders SET paid_at = {moment} + make_interval(secs => :s) WHERE id = :id"
        shop.sql(f"{paid} RETURNING id", s=seconds, id=order_id)

    with shop.database() as session:
        slots = figures.slots(session, step)

    (busy,) = [slot for slot in slots if slot.placed]
    assert (busy.placed, busy.paid) == (4, 3)
    assert (busy.half_paid_in, busy.most_paid_in) == (20.0, 29.0)
    assert busy.revenue == {"EUR": 3 * 3998}
    assert len(slots) == count
    lengths = {later.begins - slot.begins for slot, later in pairwise(slots)}
    assert lengths == {timedelta(**{f"{step}s": 1})}
