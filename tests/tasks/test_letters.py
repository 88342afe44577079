"""The words of our mails: what they say of an order and of money that goes back."""

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import settings
from models import closing, fulfilment, refund, refunding
from models.intents import RefundSnapshot
from models.notification import Notification
from models.payment import Payment
from tasks import letters
from tests import shop
from tests.telling import expire_unpaid, sent_payment, tell


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment of 39.98 EUR, under way, for two T-shirts, the last there are."""
    shop.make_item(units=2)
    return sent_payment(client)


def give_back(payment_id: int, amount_minor: int | None = None) -> None:
    """Have staff give money back, and the provider take it."""
    with shop.database() as session:
        asked: dict[str, Any] = {"amount_minor": amount_minor, "who": "staff:1", "why": "a test"}
        refund_id = refund.request(session, payment_id, **asked).id
    accept(refund_id)


def accept(refund_id: int) -> None:
    """Let the provider say that the refund is on its way."""
    with shop.database() as session:
        request = refunding.begin(session, refund_id)
        assert request is not None
        taken = RefundSnapshot(
            provider_refund_id=f"re_{refund_id}",
            provider_payment_id=request.provider_payment_id,
            marked_refund_id=refund_id,
            state="pending",
            amount_minor=request.amount_minor,
            currency=request.currency,
            created_at=datetime.now(UTC),
        )
        refunding.book(session, request.payment_id, taken, key=request.key)


def mails() -> list[EmailMessage]:
    """Every mail that is to go out, first to last."""
    with shop.database() as session:
        staged = session.scalars(select(Notification).order_by(Notification.id)).all()
        return [letters.render(letters.compose(session, each)) for each in staged]


def body_of(mail: EmailMessage, kind: str) -> str:
    """One of its two bodies, `plain` or `html`."""
    body: Any = mail.get_body((kind,))
    return str(body.get_content())


def told(mail: EmailMessage, *parts: str) -> bool:
    """Whether text and HTML both say all of this, whatever their line breaks."""
    said = [" ".join(body_of(mail, kind).split()) for kind in ("plain", "html")]
    return all(part in words for part in parts for words in said)


def test_the_confirmation_says_what_was_bought_and_where_it_goes(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    (mail,) = mails()
    assert mail["Subject"].endswith("is paid")
    assert told(mail, "Blue T-shirt", "€39.98", "123 Street")


@pytest.mark.parametrize(
    ("amounts", "parts"),
    [
        ([None], ["This is all that you paid.", "€39.98"]),
        ([3998], ["This is all that you paid.", "€39.98"]),
        ([1250], ["This is a part of what you paid.", "€12.50", "€39.98"]),
        ([1250, 2748], ["This is the rest of what you paid", "€12.50", "€27.48", "€39.98"]),
        ([1250, None], ["This is the rest of what you paid", "€12.50", "€27.48", "€39.98"]),
        ([1250, 100], ["This is a part of what you paid.", "€12.50", "€1.00", "€39.98"]),
    ],
)
def test_a_refund_by_staff_says_whether_it_is_a_part_the_rest_or_all(
    payment_id: int, amounts: list[int | None], parts: list[str]
) -> None:
    tell(payment_id, "succeeded")
    for amount_minor in amounts:
        give_back(payment_id, amount_minor)
    mail = mails()[-1]
    assert told(mail, "5 to 10 days", *parts)
    assert told(mail, "Sent back before") == (len(amounts) > 1)
    assert mail["Subject"].endswith(f"we are sending {parts[-2 if len(parts) > 2 else -1]} back")


def test_what_failed_before_is_not_called_sent_back(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    give_back(payment_id, 1250)
    give_back(payment_id, 100)
    assert told(mails()[-1], "Sent back before")
    shop.sql("UPDATE refund SET state = 'failed' WHERE amount_minor = 1250 RETURNING id")
    assert not told(mails()[-1], "Sent back before")
    shop.sql("UPDATE refund SET state = 'pending' WHERE amount_minor = 1250 RETURNING id")


def test_who_paid_twice_is_told_that_the_order_stays(client: FlaskClient, payment_id: int) -> None:
    tell(payment_id, "cancelled", "look")
    ((order_id,),) = shop.sql("SELECT id FROM orders")
    tell(sent_payment(client, {"id": order_id}), "succeeded")
    tell(payment_id, "succeeded")
    ((refund_id,),) = shop.sql("SELECT id FROM refund")
    accept(refund_id)

    mail = mails()[-1]
    assert "was paid twice" in mail["Subject"]
    assert told(mail, "You paid twice", "€39.98", "your order stays as it is", "5 to 10 days")


def test_who_paid_too_late_is_told_that_the_goods_are_gone(
    client: FlaskClient, payment_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings.current(), late_payment_policy="refund")
    monkeypatch.setattr("settings.current", lambda: chosen)
    expire_unpaid(payment_id)
    tell(sent_payment(client), "succeeded")
    tell(payment_id, "succeeded")
    ((refund_id,),) = shop.sql("SELECT id FROM refund")
    accept(refund_id)

    mail = mails()[-1]
    assert "too late" in mail["Subject"]
    assert told(mail, "too late", "€39.98", "had gone to somebody else", "5 to 10 days")


def test_who_paid_too_late_for_the_goods_is_told_that_they_are_looked_for(
    client: FlaskClient, payment_id: int
) -> None:
    expire_unpaid(payment_id)
    tell(sent_payment(client), "succeeded")
    tell(payment_id, "succeeded")

    confirmation, short = mails()

    assert told(short, "not in stock at this moment", "Ireland", str(datetime.now(UTC).year))
    assert not told(confirmation, "not in stock at this moment")


def test_who_is_sent_goods_is_told_what_left_and_how_to_follow_it(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    with shop.database() as session:
        fulfilment.ship(
            session,
            session.get_one(Payment, payment_id).order_id,
            carrier="An <Post>",
            tracking_number="RR1IE",
            tracking_url="https://post.example/RR1IE?a=1&b=2",
            who="staff:1",
        )
    mail = mails()[-1]
    assert mail["Subject"].endswith("is on its way")
    assert told(mail, "Blue T-shirt", "RR1IE", "123 Street")
    text, html = (body_of(mail, kind) for kind in ("plain", "html"))
    assert "Carrier: An <Post>" in text
    assert "https://post.example/RR1IE?a=1&b=2\n" in text
    assert "Carrier: An &lt;Post&gt;" in html
    assert 'href="https://post.example/RR1IE?a=1&amp;b=2"' in html


def test_what_is_not_known_of_a_shipment_is_not_mentioned(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    with shop.database() as session:
        fulfilment.ship(session, session.get_one(Payment, payment_id).order_id, who="staff:1")
    mail = mails()[-1]
    assert told(mail, "Blue T-shirt")
    for word in ("None", "Carrier", "Tracking", "Follow"):
        assert not any(word in body_of(mail, kind) for kind in ("plain", "html"))


@pytest.mark.parametrize(
    ("locale", "day", "total"),
    [
        ("en_GB", "7 December 2026", "€39.98"),
        ("en_US", "December 7, 2026", "€39.98"),
        ("de_DE", "7. Dezember 2026", "39,98\N{NO-BREAK SPACE}€"),
    ],
)
def test_dates_and_money_are_written_as_the_shop_writes_them(
    payment_id: int, monkeypatch: pytest.MonkeyPatch, locale: str, day: str, total: str
) -> None:
    tell(payment_id, "succeeded")
    shop.sql("UPDATE orders SET created_at = '2026-12-07 12:00+00' RETURNING id")
    chosen = replace(settings.current(), mail_locale=locale)
    monkeypatch.setattr("settings.current", lambda: chosen)
    (mail,) = mails()

    bodies = [unescape(body_of(mail, kind)) for kind in ("plain", "html")]

    assert all(day in body and total in body for body in bodies)


@pytest.mark.parametrize(("is_on", "kinds"), [(True, ["order_expired"]), (False, [])])
def test_who_did_not_pay_in_time_is_told_if_the_shop_wants_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, is_on: bool, kinds: list[str]
) -> None:
    chosen = replace(settings.current(), mail_on_expiry=is_on)
    monkeypatch.setattr("settings.current", lambda: chosen)
    shop.make_item(units=2)
    shop.place(client)
    shop.let_pass(minutes=16)
    shop.sweep()

    assert shop.sql("SELECT kind FROM notification ORDER BY id") == [(kind,) for kind in kinds]
    for mail in mails():
        assert mail["Subject"].endswith("was not paid in time")
        assert told(mail, "not paid in time", "Blue T-shirt", "on sale again", "You owe nothing")


@pytest.mark.parametrize(
    ("who", "is_told"), [("staff:1", True), ("cli", True), ("guest", False), ("customer:1", False)]
)
def test_who_has_not_cancelled_the_order_is_told_that_the_shop_did(
    client: FlaskClient, who: str, is_told: bool
) -> None:
    shop.make_item(units=2)
    order = shop.place(client)
    with shop.database() as session:
        closing.cancel(session, order["id"], who=who, why="it broke")

    assert [mail["Subject"].endswith("is cancelled") for mail in mails()] == [True] * is_told
    assert all(told(mail, "We have cancelled it", "Blue T-shirt") for mail in mails())


def test_who_cancelled_is_told_nothing_even_if_a_payment_is_closed_first(
    payment_id: int,
) -> None:
    with shop.database() as session:
        order_id = session.get_one(Payment, payment_id).order_id
        closing.cancel(session, order_id, who="guest", why="changed my mind")
    tell(payment_id, "cancelled", "look")
    assert mails() == []


def test_a_mail_about_a_refund_has_a_message_id_that_every_server_takes(payment_id: int) -> None:
    tell(payment_id, "succeeded")
    give_back(payment_id, 1250)
    ids = {mail["Message-ID"] for mail in mails()}
    assert len(ids) == 2
    for message_id in ids:
        local, _, domain = message_id.strip("<>").partition("@")
        assert local.replace(".", "").replace("_", "").isalnum(), message_id
        assert domain
