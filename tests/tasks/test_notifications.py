"""Mails: one for each reason, sent until the server has taken it or refused it for good."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from models import notification
from tests import shop
from tests.mail import MailServer
from tests.telling import sent_payment, tell


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer(monkeypatch) as server:
        yield server


@pytest.fixture
def order_id(client: FlaskClient) -> int:
    """A paid order whose confirmation is staged."""
    shop.make_item(units=10)
    order = shop.place(client)
    tell(sent_payment(client, order), "succeeded")
    return int(order["id"])


def state_of_mail() -> str:
    ((state,),) = shop.sql("SELECT state FROM notification")
    return str(state)


def send() -> None:
    shop.let_pass(minutes=16)
    shop.run_jobs("notifications.send")


def test_a_mail_that_the_server_cannot_take_now_is_sent_later(
    mail_server: MailServer, order_id: int
) -> None:
    mail_server.refusals = ["451 not now", "421 busy"]
    for _ in range(2):
        send()
        assert (state_of_mail(), mail_server.received) == ("staged", [])
    send()
    assert (state_of_mail(), len(mail_server.received)) == ("sent", 1)


def test_a_mail_that_is_refused_for_good_is_failed_and_its_job_dead(
    mail_server: MailServer, order_id: int
) -> None:
    mail_server.refusals = ["550 no such person"]
    send()
    assert state_of_mail() == "failed"
    ((state, error),) = shop.sql(
        "SELECT state, last_error FROM job WHERE kind = 'notifications.send'"
    )
    assert state == "dead"
    assert "550" in error
    send()
    assert mail_server.received == []


def test_a_mail_is_not_sent_twice_however_often_it_is_staged_or_rung_for(
    mail_server: MailServer, order_id: int
) -> None:
    send()
    with shop.database() as session:
        notification.stage(session, order_id, "order_paid", "guest@example.com")
        session.execute(text("DELETE FROM job_attempt"))
        session.execute(text("UPDATE job SET state = 'ready', attempts = 0 WHERE state = 'done'"))
    send()
    assert len(mail_server.received) == 1


def test_a_mail_whose_answer_was_lost_comes_again_as_the_same_message(
    mail_server: MailServer, order_id: int
) -> None:
    mail_server.cuts = 1
    send()
    assert state_of_mail() == "staged"
    send()

    first, second = mail_server.received
    assert first["Message-ID"] == second["Message-ID"]
    assert state_of_mail() == "sent"


def test_a_server_that_ends_badly_after_taking_a_mail_has_taken_it(
    mail_server: MailServer, order_id: int
) -> None:
    mail_server.answers = {"QUIT": "421 gone"}
    send()
    send()
    assert (state_of_mail(), len(mail_server.received)) == ("sent", 1)


def test_a_server_that_is_away_is_tried_again(order_id: int) -> None:
    send()
    assert state_of_mail() == "staged"
    assert shop.sql("SELECT state FROM job WHERE kind = 'notifications.send'") == [("ready",)]


def test_a_sender_that_the_server_refuses_is_our_mistake_and_costs_no_mail(
    mail_server: MailServer, order_id: int
) -> None:
    mail_server.answers = {"MAIL": "550 who are you"}
    send()
    assert state_of_mail() == "staged"
    mail_server.answers = {}
    send()
    assert (state_of_mail(), len(mail_server.received)) == ("sent", 1)


@pytest.mark.parametrize(("answer", "state"), [("450 later", "staged"), ("550 nobody", "failed")])
def test_a_recipient_is_tried_again_or_given_up_as_the_server_says(
    mail_server: MailServer, order_id: int, answer: str, state: str
) -> None:
    mail_server.answers = {"RCPT": answer}
    send()
    assert state_of_mail() == state
