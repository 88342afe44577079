"""Looks: one for all who ask before it begins, and the janitor's times."""

from flask.testing import FlaskClient

from models import looking, payment
from models.payment import Payment
from tasks.base import drain
from tests import shop
from tests.sandbox.process import StripeProcess
from tests.telling import sent_payment, state_of, tell

LOOKS = "SELECT dedupe_key FROM job WHERE dedupe_key LIKE 'look:%' ORDER BY id"


def stage(payment_id: int) -> None:
    with shop.database() as session:
        looking.stage(session, payment.lock(session, payment_id), "payment")


def sweep() -> None:
    with shop.database() as session:
        for row in looking.overdue(session, Payment, 10):
            looking.stage(session, row, "payment")


def looks() -> list[str]:
    return [key for (key,) in shop.sql(LOOKS)]


def test_many_who_ask_for_a_look_get_one(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    for _ in range(3):
        stage(payment_id)
    assert looks() == [f"look:payment:{payment_id}:0"]


def test_what_comes_while_a_look_is_under_way_stages_the_next(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    stage(payment_id)
    with shop.database() as session:
        looking.begin(session, payment_id, "payment")
    stage(payment_id)
    stage(payment_id)
    assert looks() == [f"look:payment:{payment_id}:{number}" for number in (0, 1)]


def test_a_crowd_that_asks_at_once_gets_one_look(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.at_once(lambda _: stage(payment_id), 8)
    assert looks() == [f"look:payment:{payment_id}:0"]


def hasten(payment_id: int) -> int:
    """Look at the payment, as a buyer does; how many looks there are then, none under way."""
    with shop.database() as session:
        looking.hasten(session, session.get_one(Payment, payment_id))
    with shop.database() as session:
        looking.begin(session, payment_id, "payment")
    return len(looks())


def test_a_payment_that_is_looked_at_need_not_wait_for_the_janitor(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.let_pass(minutes=1.1)
    assert hasten(payment_id) == 0, "the janitor is about to ask"
    for looks_before, minutes in enumerate((1, 5, 30, 120, 720, 1440), start=1):
        shop.let_pass(minutes=minutes)
        sweep()  # the next time is far off
        asked = len(looks())
        with shop.database() as session:
            looking.begin(session, payment_id, "payment")
        shop.let_pass(minutes=0.9)
        assert hasten(payment_id) == asked, "it was asked about a moment ago"
        shop.let_pass(minutes=0.2)
        assert hasten(payment_id) == asked + 1, looks_before
        assert hasten(payment_id) == asked + 1, "once"


def test_a_crowd_that_looks_at_a_stale_payment_has_one_look_staged(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.let_pass(minutes=1.1)
    sweep()
    with shop.database() as session:
        looking.begin(session, payment_id, "payment")
    shop.let_pass(minutes=1.1)
    shop.at_once(lambda _: hasten(payment_id), 8)
    assert len(looks()) == 2


def test_of_what_has_ended_nobody_is_asked(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.let_pass(minutes=1.1)
    sweep()
    tell(payment_id, "succeeded", "look")
    shop.let_pass(days=3)
    assert hasten(payment_id) == 1


def test_a_silent_payment_is_asked_about_ever_less_often(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    waited = []
    for minutes in (1, 5, 30, 120, 720, 1440, 1440):
        shop.let_pass(minutes=minutes - 0.5)
        before = len(looks())
        sweep()
        assert len(looks()) == before, "too early"
        shop.let_pass(minutes=0.6)
        sweep()
        sweep()
        assert len(looks()) == before + 1
        with shop.database() as session:
            looking.begin(session, payment_id, "payment")
        waited.append(minutes)
    assert len(looks()) == len(waited)


def test_what_was_just_heard_of_is_left_alone_and_an_end_for_ever(client: FlaskClient) -> None:
    shop.make_item()
    payment_id = sent_payment(client)
    shop.let_pass(seconds=50)
    tell(payment_id, "processing")
    shop.let_pass(seconds=50)
    sweep()
    assert looks() == []
    tell(payment_id, "succeeded")
    shop.let_pass(days=30)
    sweep()
    assert looks() == []


def test_without_any_webhook_the_janitor_finds_every_payment(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    shop.make_item(units=10)
    secrets = [
        shop.open_payment(client, shop.place(client, quantity=1))["client_secret"] for _ in range(3)
    ]
    for secret in secrets:
        shop.pay(stripe_sandbox, secret)
    shop.let_pass(minutes=2)
    shop.stage_job("janitor.sweep")
    drain()
    assert shop.sql("SELECT DISTINCT state FROM orders") == [("paid",)]


def test_a_payment_whose_answer_was_lost_is_found_by_our_mark(
    client: FlaskClient, stripe_sandbox: StripeProcess
) -> None:
    shop.make_item()
    order = shop.place(client)
    stripe_sandbox.control(
        "faults", {"endpoint": "payment_intents.create", "fault": "fail_after", "status": 500}
    )
    shop.start(client, order)
    drain()
    ((payment_id,),) = shop.sql("SELECT id FROM payment")
    assert state_of(payment_id) == "unknown"
    shop.let_pass(minutes=2)
    shop.stage_job("janitor.sweep")
    shop.run_jobs("janitor.sweep")
    shop.run_jobs("payments.refresh")
    assert state_of(payment_id) == "open"
