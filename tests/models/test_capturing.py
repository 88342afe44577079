"""Capture: by hand, goods stay held and staff are warned in time; by itself, it comes at once."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from models import asking, capturing, closing
from models.capturing import NotCapturableError
from models.payment import Payment
from tests import jobs, shop
from tests.telling import sent_payment, sound, state_of, stock, tell, the_order


def captured_by_hand(client: FlaskClient) -> int:
    """A payment of which staff say when its money is taken."""
    payment_id = sent_payment(client)
    shop.sql("UPDATE payment SET capture = 'manual' RETURNING id")
    return payment_id


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment whose money is reserved for three days."""
    shop.make_item(units=10)
    payment_id = captured_by_hand(client)
    deadline = datetime.now(UTC) + timedelta(days=3)
    tell(payment_id, "authorised", capture_before=deadline)
    return payment_id


def expire(payment_id: int) -> None:
    with shop.database() as session:
        closing.expire(session, session.get_one(Payment, payment_id).order_id)


def warn() -> None:
    with shop.database() as session:
        capturing.warn(session)


def test_reserved_money_is_no_payment_and_keeps_the_goods(payment_id: int) -> None:
    shop.let_pass(days=2)
    expire(payment_id)
    assert (the_order(), stock()) == (sound("pending"), [(10, 2)])
    assert shop.sql("SELECT closing FROM orders") == [(None,)]


def test_without_a_date_it_is_taken_for_seven_days(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = captured_by_hand(client)
    tell(payment_id, "authorised")
    ((left,),) = shop.sql("SELECT capture_before - sent_at FROM payment")
    assert timedelta(days=7) <= left < timedelta(days=7, minutes=1)


def test_after_the_date_the_order_closes(payment_id: int) -> None:
    shop.let_pass(days=3, minutes=1)
    expire(payment_id)  # a running payment gets more time once
    shop.let_pass(minutes=20)
    expire(payment_id)
    assert shop.sql("SELECT closing FROM orders") == [("expired",)]
    with pytest.raises(NotCapturableError), shop.database() as session:
        capturing.request(session, payment_id, who="staff:1")


def test_staff_take_the_money_with_one_job_however_often_they_ask(payment_id: int) -> None:
    for _ in range(2):
        with shop.database() as session:
            capturing.request(session, payment_id, who="staff:1")
    jobs = "SELECT kind, payload FROM job WHERE kind = 'payments.capture'"
    assert shop.sql(jobs) == [("payments.capture", {"payment_id": payment_id})]
    with shop.database() as session:
        assert asking.to_capture(session, payment_id) is not None

    tell(payment_id, "succeeded", "look")

    assert (state_of(payment_id), the_order()) == ("succeeded", sound("paid"))
    with shop.database() as session:
        assert asking.to_capture(session, payment_id) is None


@pytest.mark.parametrize("ended", ["dead", "cancelled", "done"])
def test_staff_may_ask_again_after_a_job_that_did_not_take_it(payment_id: int, ended: str) -> None:
    for _ in range(2):
        with shop.database() as session:
            capturing.request(session, payment_id, who="staff:1")
        shop.sql(
            "UPDATE job SET state = :ended, last_error = 'no'"
            " WHERE kind = 'payments.capture' AND state = 'ready' RETURNING id",
            ended=ended,
        )
    assert shop.sql("SELECT count(*) FROM job WHERE kind = 'payments.capture'") == [(2,)]
    asked = "SELECT count(*) FROM journal WHERE what = 'payment.capture_requested'"
    assert shop.sql(asked) == [(2,)]


def test_staff_are_warned_once_before_the_money_is_gone(payment_id: int) -> None:
    warn()
    assert the_order() == sound("pending")
    shop.let_pass(days=2, hours=1)
    for _ in range(3):
        warn()
    assert the_order()["needs_review"]
    assert shop.sql("SELECT count(*) FROM journal WHERE what = 'order.needs_review'") == [(1,)]


def test_what_is_not_reserved_cannot_be_captured(client: FlaskClient) -> None:
    shop.make_item()
    open_one = sent_payment(client)
    with pytest.raises(NotCapturableError), shop.database() as session:
        capturing.request(session, open_one, who="staff:1")


def test_what_a_buyer_has_agreed_to_is_taken_at_once_and_by_one_job(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    for _ in range(2):
        tell(payment_id, "authorised", "look")
    jobs = "SELECT payload FROM job WHERE kind = 'payments.capture'"
    assert shop.sql(jobs) == [({"payment_id": payment_id},)]

    tell(payment_id, "open", "look")  # the means of payment was declined
    shop.sql("UPDATE job SET state = 'done' WHERE kind = 'payments.capture' RETURNING id")
    tell(payment_id, "authorised", "look")
    assert len(shop.sql(jobs)) == 2

    warn()
    assert not the_order()["needs_review"]


def test_nothing_is_taken_for_an_order_that_is_closing(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    with shop.database() as session:
        order_id = session.get_one(Payment, payment_id).order_id
        closing.cancel(session, order_id, who="staff:1", why="not wanted")
    tell(payment_id, "authorised", "look")
    assert shop.sql("SELECT id FROM job WHERE kind = 'payments.capture'") == []


@pytest.mark.usefixtures("app")
def test_the_billionth_payment_is_known_to_be_taken_while_a_worker_takes_it() -> None:
    many = 10**12
    shop.stage_job("payments.capture", payment_id=many)
    ((job_id,),) = shop.sql("SELECT id FROM job")
    with shop.database() as session:
        assert not capturing.is_under_way(session, many)
    jobs.claimed(job_id)
    with shop.database() as session:
        assert capturing.is_under_way(session, many)
        assert not capturing.is_under_way(session, many + 1)
